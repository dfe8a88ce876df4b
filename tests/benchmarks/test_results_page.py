"""docs/results.md says what the records say."""


def test_the_page_is_what_the_records_give(benchmark_module):
    assert benchmark_module("render_results").main(["--check"]) == 0
