import asyncio
import time

from services.chassis import call, names


def test_outside_a_call_the_tenant_is_the_default_and_there_is_no_deadline():
    assert call.current() == call.Call(tenant=names.DEFAULT_TENANT)
    assert call.current().remaining() is None


def test_a_deadline_that_has_passed_leaves_nothing():
    assert call.Call(deadline=time.monotonic() - 5).remaining() == 0


async def test_calls_in_two_tasks_do_not_meet():
    async def tenant(name):
        with call.use(call.Call(tenant=name)):
            await asyncio.sleep(0)
            return call.current().tenant

    assert await asyncio.gather(tenant("a"), tenant("b")) == ["a", "b"]
