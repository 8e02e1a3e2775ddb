"""gomplate's `time` in templates: Go's layouts, zones, and methods of times and durations."""

from __future__ import annotations

import pytest

from wrapper.errors import StackError
from wrapper.stacks import gotemplate, inputs

DAY = '(time.Parse "2006-01-02" "2020-02-29")'


def rendered(text: str) -> str:
    return gotemplate.render(text, {}, what="t", at=None, strict=False)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        (f'{{{{ {DAY}.Format "Mon 2 Jan 06" }}}}', "Sat 29 Feb 20"),
        (f"{{{{ {DAY} }}}}", "2020-02-29 00:00:00 +0000 UTC"),
        (f"{{{{ {DAY}.Weekday }}}} {{{{ {DAY}.Month }}}} {{{{ {DAY}.YearDay }}}}", "Saturday February 60"),
        (f"{{{{ {DAY}.AddDate 1 0 0 }}}}", "2021-03-01 00:00:00 +0000 UTC"),
        (f'{{{{ ({DAY}.Add (time.ParseDuration "-1h30m")).Format time.RFC3339 }}}}', "2020-02-28T22:30:00Z"),
        (f"{{{{ {DAY}.Sub (time.Unix 1582934399) }}}} {{{{ {DAY}.After (time.Unix 0) }}}}", "1s true"),
        ('{{ time.Parse time.RFC3339 "2020-02-29T10:11:12.5+02:00" }}', "2020-02-29 10:11:12.5 +0200 +0200"),
        ('{{ (time.Parse time.RFC3339 "2020-02-29T10:11:12+02:00").UTC.Hour }}', "8"),
        ('{{ time.ParseLocal "2006-01-02 15:04" "2020-07-01 12:00" }}', "2020-07-01 12:00:00 +0200 CEST"),
        ('{{ (time.ParseInLocation "2006-01-02" "America/New_York" "2020-07-01").Unix }}', "1593576000"),
        ('{{ ((time.Unix "0.25").In "UTC").Nanosecond }} {{ time.Unix 0 }}',
         "250000000 1970-01-01 01:00:00 +0100 CET"),
        ("{{ time.Hour 1 }} {{ (time.Minute 90).Hours }} {{ (time.Second 90).Round (time.Minute 1) }}",
         "1h0m0s 1.5 2m0s"),
        ("{{ gt time.Now.Year 2025 }} {{ (time.Since time.Now).Hours | lt 1.0 }}", "true false"),
        ('{{ time.ANSIC }}{{ "time.Now.Year" }}', "Mon Jan _2 15:04:05 2006time.Now.Year"),
    ],
)  # fmt: skip
def test_times(monkeypatch: pytest.MonkeyPatch, template: str, text: str) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    assert rendered(template) == text


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ('{{ time.Parse "2006" "x" }}', 'cannot parse "x" as "2006"'),
        ('{{ time.ParseDuration "1x" }}', "1x"),
        ('{{ time.ParseInLocation "2006" "No/Where" "2020" }}', "No/Where"),
        ("{{ time.Nope }}", r"'time\.Nope' not defined"),
    ],
)
def test_what_is_no_time(template: str, said: str) -> None:
    with pytest.raises(StackError, match=said):
        rendered(template)


def test_what_is_another_each_time_is_noted() -> None:
    for template, names in (
        ("{{ time.Now.Year }}", {"$", "$TZ"}),
        ("{{ time.Unix 0 }}", {"$TZ"}),
        (f"{{{{ {DAY}.Year }}}}", set()),
    ):
        with inputs.noted() as asked:
            rendered(template)
        assert asked == names, template
