"""tools/check counts inner cases honestly: what crashed, was skipped or never ran has failed."""

import pytest
from checkers import load

check = load("check")

CASES = [
    # what the test program printed, its result, passed, failed
    ("1..2\nok 1 - a\nok 2 - b\n", "OK", 2, 0),
    ("1..2\nok 1 - a\nnot ok 2 - b\n", "FAIL", 1, 1),
    ("1..3\nok 1 - a\n", "FAIL", 1, 1),             # crashed in the second of three
    ("1..2\nok 1 - a\nok 2 # SKIP\n", "OK", 1, 1),
    ("1..1\nok 1 - a\n", "FAIL", 1, 1),             # leaked, say: all cases well, exit code not
    ("", "OK", 1, 0),                               # no TAP: the program is the case
    ("", "FAIL", 0, 1),
    ("", "SKIP", 0, 1),
    ("1..0\n", "OK", 0, 1),                         # a program without a case
    ("", "TIMEOUT", 0, 1),
]


@pytest.fixture(autouse=True)
def logs_elsewhere(tmp_path, monkeypatch):
    monkeypatch.setattr(check, "LOGS", str(tmp_path))


@pytest.mark.parametrize("output,result,passed,failed", CASES)
def test_tap_is_counted(output, result, passed, failed):
    suite = check.Suite("sample")
    check.count_tap(suite, {"name": "t", "stdout": output, "result": result, "returncode": 1})
    assert (suite.passed, suite.failed) == (passed, failed)


def test_suite_that_ran_nothing_has_failed():
    assert check.run_suite("empty", []) == (0, 1)


def test_program_that_fails_or_is_missing_has_failed():
    assert check.run_suite("fails", [check.program("false", "false")]) == (0, 1)
    assert check.run_suite("missing", [check.program("none", "/none/such")]) == (0, 1)


def test_program_gets_no_input_and_must_end_in_time(monkeypatch):
    monkeypatch.setattr(check, "STEP_SECONDS_MAX", 0.2)
    assert check.run_suite("input", [check.program("cat", "cat")]) == (1, 0)
    assert check.run_suite("endless", [check.program("sleep", "sleep", "60")]) == (0, 1)


@pytest.mark.parametrize("body,passed,failed", [
    ("def test_a():\n    pass\n", 1, 0),
    ("import pytest\ndef test_a():\n    pytest.skip('no')\n", 0, 1),
    ("def test_a():\n    assert 0\ndef test_b():\n    pass\n", 1, 1),
    ("import none_such\n", 0, 1),
    ("", 0, 1),
])
def test_python_cases_are_counted(tmp_path, body, passed, failed):
    folder = tmp_path / "cases"
    folder.mkdir()
    (folder / "test_sample.py").write_text(body)
    assert check.run_suite("python", [check.python_tests(str(folder))]) == (passed, failed)
