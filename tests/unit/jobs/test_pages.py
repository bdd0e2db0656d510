import pytest

from services.chassis.errors import InvalidInput
from services.jobs import pages
from services.jobs.ports.store import Place


async def test_a_token_leads_to_the_place_after_its_job(job):
    place = Place(job.create_time, job.id)
    assert pages.place_from_token(pages.token_after(place)) == place


@pytest.mark.parametrize("token", ["x", "%%%%", "AAAA", "é", "f" * 32, "f" * 256])
def test_a_token_that_is_none_is_refused_by_its_field(token):
    with pytest.raises(InvalidInput) as refused:
        pages.place_from_token(token)
    assert refused.value.violations[0].field == "page_token"
