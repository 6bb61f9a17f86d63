"""Every rule of check-style accepts its good sample and reports its bad one."""

import pytest
from checkers import load

style = load("check-style")


def found(rule, text):
    names = [name for _, name, _ in style.check_file(rule.path, text.encode())]
    return rule.__name__.replace("_", "-") in names


@pytest.mark.parametrize("rule", style.RULES, ids=lambda rule: rule.__name__)
def test_good_sample_passes(rule):
    assert not found(rule, rule.good)


@pytest.mark.parametrize("rule", style.RULES, ids=lambda rule: rule.__name__)
def test_bad_sample_is_reported(rule):
    assert found(rule, rule.bad)


@pytest.mark.parametrize("rule", style.RULES, ids=lambda rule: rule.__name__)
def test_rule_has_a_reason(rule):
    assert len(rule.__doc__) > 20


def functions(text):
    return [(f.name, f.first, f.last, f.deepest) for f in style.source.functions(text)]


def test_function_after_a_table_and_a_directive():
    text = ("static const T table[] = {\n    { 1 },\n};\n#define M(x) \\\n    { x\n"
            "struct s *f(int a,\n            int b)\n{\n    if (a)\n        return NULL;\n"
            "    while (b) {\n        g((T){ .x = { 1 } });\n    }\n}\n")
    assert functions(text) == [("f", 6, 14, 1)]


def test_table_inside_a_function_does_not_count():
    text = ("int f(void)\n{\n    static const struct {\n        int a;\n    } table[] = {\n"
            "        { 1 },\n        { 2 },\n    };\n\n    return table[0].a;\n}\n")
    assert [f.table_lines for f in style.source.functions(text)] == [5]


def test_braces_in_literals_and_comments_do_not_count():
    assert functions("int f(void) /* { */\n{\n    return '{' + \"}{\"[0];\n}\n") == [("f", 1, 4, 0)]


def test_function_with_attribute():
    text = "void f(int a) __attribute__((noreturn))\n{\n    for (;;)\n        ;\n}\n"
    assert functions(text) == [("f", 1, 5, 0)]


def test_binary_sample_in_its_place_passes():
    assert style.check_file("tests/fuzz/corpus/slp/one", b"\0 \n") == []
    assert style.check_file("tests/unit/data/page.jpg", b"\xff\xd8\0") == []
