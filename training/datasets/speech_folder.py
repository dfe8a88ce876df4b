def read_speech_folder(path, sample_rate):
    raise NotImplementedError
