"""Reading of images in .npz files of NumPy."""

from itertools import chain, pairwise
from pathlib import Path

import numpy as np

from keras_ae.data_files import SPLIT_NAMES, LeftOut
from keras_ae.errors import InputError
from keras_ae.training.datasets._arrays import NpzMember, array_chunks, image_shape_of, npz_keys, pixel_scale
from keras_ae.training.datasets.images._decoding import survey_images
from keras_ae.training.datasets.images.data import ImageSource
from keras_ae.training.datasets.images.stores import ArrayStore, EncodedStore, NpzMemberStore, encoded_items

PART_KEYS = {
    "images": ("x_{}", "{}_x", "{}_images", "images_{}"),
    "labels": ("y_{}", "{}_y", "{}_labels", "labels_{}"),
    "jpeg": ("jpeg_{}",),
    "offsets": ("offsets_{}",),
}
PLAIN_KEYS = {
    "images": ("images", "image", "x"),
    "labels": ("labels", "label", "y"),
    "jpeg": ("jpeg",),
    "offsets": ("offsets",),
}
EXPECTED = (
    "x_train[, y_train, x_val, y_val, x_test, y_test], "
    "train_images[, train_labels, test_images, test_labels], images[, labels], x[, y], "
    "or jpeg_train and offsets_train"
)


def read_npz(
    path: Path,
    image_size: tuple[int, int] | None = None,
    streamed_shape: tuple[int, int, int] | None = None,
    scale: float | None = None,
    channels: int | None = None,
    skip_broken: bool = False,
) -> ImageSource:
    """Open images of an .npz file, with its labels and official validation and test parts, if any.

    Keys, in upper or lower case: `x_train`, `train_images` and similar, with labels `y_` or
    `_labels`, and the same for the other names of splits (see `keras_ae.data_files`); or only
    `images` or `x`, with `labels` or `y`. `jpeg_train` contains encoded images one after the other:
    image i is `jpeg_train[offsets_train[i]:offsets_train[i + 1]]`. `class_names` are the names of the
    classes. Other arrays are left out and recorded.

    Args:
        path: the file.
        image_size: height and width to resize to.
        streamed_shape: if given, the images will be read once and in order: arrays stay in the file,
            encoded images must have this shape, and the file may contain only test or validation images.
        scale: the pixel value of arrays that is converted to 1; `None`: derived from dtype and values,
            see `pixel_scale`. Not used for encoded images.
        channels: number of channels to which encoded images are converted.
        skip_broken: leave out encoded images that cannot be read, and record them.

    Raises:
        InputError: the file is damaged or has none of these keys; it has only test or validation images;
            images differ in shape; pixels are out of range.
    """
    keys = npz_keys(path)
    parts = _find_parts({key.lower(): key for key in keys}, path, streamed_shape is not None)
    if not parts:
        raise InputError(f"{path} must have the keys {EXPECTED}. Received: {', '.join(keys) or 'no keys'}")
    members = {part: {k: NpzMember(path, key) for k, key in found.items()} for part, found in parts.items()}
    left_out = LeftOut("arrays")
    used = {key for found in parts.values() for key in found.values()} | {"class_names"}
    for key in keys:
        if key not in used:
            left_out.add("not used", key)
    labels = {part: _column(found["labels"].whole()) for part, found in members.items() if "labels" in found}
    if all("jpeg" in found for found in members.values()):
        options = {"image_size": image_size, "channels": channels}
        stores = _encoded_stores(members, streamed_shape, skip_broken, labels, left_out, **options)
    else:
        stores = _array_stores(members, image_size, scale, streamed=streamed_shape is not None)
    return ImageSource(
        name=path.stem,
        origin=f"npz file {path}",
        parts=stores,
        labels=labels,
        class_names=NpzMember(path, "class_names").whole().astype(str).tolist()
        if "class_names" in keys
        else None,
        left_out=left_out,
    )


def _find_parts(keys, path, streamed):
    """Return `{part: {"images" or "jpeg", "offsets", "labels": key}}` of lower-case keys."""
    found = {}
    for part, names in SPLIT_NAMES.items():
        for name in names:
            kinds = {kind: [form.format(name) for form in forms] for kind, forms in PART_KEYS.items()}
            if of_name := _find_kinds(keys, kinds):
                if part in found:
                    raise InputError(f"{path} must contain one array of {part} images. Received: two")
                found[part] = of_name
    if len(found) == 1 and (streamed or "train" in found):
        return {"all": next(iter(found.values()))}
    if found and "train" not in found and not streamed:
        raise InputError(f"{path} must contain training images, x_train. Received: only {', '.join(found)}")
    plain = {} if found else _find_kinds(keys, PLAIN_KEYS)
    return {"all": plain} if plain else found


def _find_kinds(keys, names_by_kind):
    found = {}
    for kind, names in names_by_kind.items():
        present = [keys[name] for name in names if name in keys]
        if present:
            found[kind] = present[0]
    if "images" in found:
        return {kind: found[kind] for kind in ("images", "labels") if kind in found}
    return found if {"jpeg", "offsets"} <= set(found) else {}


def _array_stores(members, image_size, scale, streamed):
    images = {part: found["images"] for part, found in members.items()}
    for member in images.values():
        image_shape_of(member.shape, member.origin)
    arrays = {} if streamed else {part: member.whole() for part, member in images.items()}
    scales = {}
    for dtype in {member.dtype for member in images.values()}:
        alike = [part for part, member in images.items() if member.dtype == dtype]
        parts = (images[part].chunks() if streamed else array_chunks(arrays[part]) for part in alike)
        # one scale for all parts: a test part of dark images must not be stretched
        found = pixel_scale(chain.from_iterable(parts), images[alike[0]].origin, scale)
        scales |= dict.fromkeys(alike, found)
    return {
        part: NpzMemberStore(member, image_size, scales[part])
        if streamed
        else ArrayStore(arrays[part], scales[part], member.origin, image_size)
        for part, member in images.items()
    }


def _encoded_stores(members, streamed_shape, skip_broken, labels, left_out, **options):
    """Return the stores; labels of broken images are removed from `labels`."""
    items = {part: _slices(found["jpeg"], found["offsets"]) for part, found in members.items()}
    origins = {
        part: [f"image {row} of {members[part]['jpeg'].origin}" for row in range(len(found))]
        for part, found in items.items()
    }
    if streamed_shape:
        return {part: EncodedStore(items[part], origins[part], streamed_shape, **options) for part in items}
    all_items, all_origins = encoded_items(sum(items.values(), [])), sum(origins.values(), [])
    survey = survey_images(all_items, all_origins, False, skip_broken=skip_broken, **options)
    for row in np.flatnonzero(~survey.readable):
        left_out.add("unreadable", all_origins[row])
    stores, ends = {}, np.cumsum([len(found) for found in items.values()])[:-1]
    for part, rows in zip(items, np.split(np.arange(len(all_items)), ends), strict=True):
        kept = survey.readable[rows]
        if part in labels:
            labels[part] = labels[part][kept]
        own = rows[kept]
        stores[part] = EncodedStore(
            [all_items[row] for row in own],
            [all_origins[row] for row in own],
            survey.image_shape,
            **options,
            ways=survey.ways[own],
        )
    return stores


def _slices(jpeg, offsets):
    contents, bounds = jpeg.whole(), offsets.whole()
    valid = contents.dtype == np.uint8 and bounds.ndim == 1 and len(bounds) > 1 and bounds[0] >= 0
    if not valid or (np.diff(bounds.astype("int64")) < 0).any() or bounds[-1] > len(contents):
        raise InputError(
            f"{offsets.origin} must be ascending offsets into the {contents.size} bytes of {jpeg.key}, "
            f"one more than there are images. Received: shape {bounds.shape}"
        )
    return [contents[start:end].tobytes() for start, end in pairwise(bounds)]


def _column(labels):
    return labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
