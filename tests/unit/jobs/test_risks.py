from datetime import UTC, datetime, timedelta

from services.jobs.content import Observation, Risk, Severity
from services.jobs.pipelines import risks

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
LOW = Risk("A ladder.", Severity.LOW)
HIGH = Risk("A spill.", Severity.HIGH)


def merged(*shown):
    seen = [Observation(f"frame-{n}", NOON + timedelta(seconds=n), "") for n in range(len(shown))]
    return risks.merged(shown, seen)


def evidence(found):
    return [(it.risk.description, it.evidence_image_ids) for it in found]


def test_the_same_risk_in_pictures_that_follow_one_another_is_one():
    [found] = merged([], [LOW], [LOW], [])
    assert found.evidence_image_ids == ("frame-1", "frame-2")
    assert (found.start_time, found.end_time) == (
        NOON + timedelta(seconds=1),
        NOON + timedelta(seconds=2),
    )


def test_a_single_picture_that_misses_it_is_no_evidence_and_no_end():
    [found] = merged([LOW], [], [LOW])
    assert found.evidence_image_ids == ("frame-0", "frame-2")


def test_a_risk_that_comes_back_is_told_again():
    assert evidence(merged([LOW], [], [], [LOW])) == [
        ("A ladder.", ("frame-0",)),
        ("A ladder.", ("frame-3",)),
    ]


def test_a_risk_of_a_single_picture_is_told_beside_a_longer_one():
    found = merged([LOW], [LOW], [], [], [LOW])
    assert [it.evidence_image_ids for it in found] == [("frame-0", "frame-1"), ("frame-4",)]


def test_the_worst_comes_first_then_the_earliest():
    found = merged([LOW], [HIGH, Risk("A cable.", Severity.LOW)])
    assert [it.risk.description for it in found] == ["A spill.", "A ladder.", "A cable."]


def test_a_risk_is_as_bad_as_at_its_worst():
    [found] = merged([Risk("a  spill", Severity.LOW)], [HIGH], [Risk("A spill.", Severity.MEDIUM)])
    assert found.risk == HIGH
    assert len(found.evidence_image_ids) == 3


def test_a_picture_that_says_it_twice_is_one_piece_of_evidence():
    [found] = merged([Risk("A spill", Severity.LOW), HIGH])
    assert (found.risk, found.evidence_image_ids) == (HIGH, ("frame-0",))


def test_the_summary_names_risk_severity_and_pictures():
    found = merged([HIGH], [HIGH, LOW])
    assert risks.summary(found, 2) == (
        "2 risks were seen in 2 pictures: A spill (high; pictures frame-0 to frame-1); "
        "A ladder (low; picture frame-1)."
    )
    assert risks.summary((), 1) == "No risk was seen in 1 picture."


def test_a_long_summary_is_cut_and_says_so():
    found = merged([Risk(f"Risk {n}.", Severity.LOW) for n in range(13)])
    told = risks.summary(found, 1)
    assert told.startswith("13 risks were seen in 1 picture: Risk 0 (low; picture frame-0);")
    assert told.endswith("and 3 more.")
