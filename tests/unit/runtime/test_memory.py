import numpy as np
import pytest

from band.errors import BandError, ErrorCode
from band.runtime.memory import BufferPool, MemoryAccount

FLOAT = np.dtype(np.float32)


def test_an_account_refuses_what_does_not_fit_and_changes_nothing() -> None:
    account = MemoryAccount(100)
    assert account.reserve(60)
    assert not account.reserve(41)
    assert (account.used_bytes, account.free_bytes) == (60, 40)
    account.force(50)
    assert account.free_bytes == -10
    account.release(110)
    assert account.used_bytes == 0


def test_a_buffer_is_used_again_for_the_same_number_of_bytes() -> None:
    pool = BufferPool(MemoryAccount(1_000))
    first = pool.take((2, 3), FLOAT)
    first[:] = 7
    pool.give_back(first)
    second = pool.take((24,), np.dtype(np.uint8))
    assert np.shares_memory(first, second)
    assert pool.allocations == 1


@pytest.mark.parametrize("shape", [(), (1,), (2, 0, 3), (4, 5)])
@pytest.mark.parametrize("dtype", ["float32", "int8", "bool", "float16", "int64"])
def test_a_taken_array_has_the_shape_and_type_asked_for(shape: tuple[int, ...], dtype: str) -> None:
    pool = BufferPool(MemoryAccount(1_000))
    array = pool.take(shape, np.dtype(dtype))
    assert (array.shape, array.dtype) == (shape, np.dtype(dtype))
    assert array.flags.c_contiguous
    array[...] = 1
    assert pool.in_use_bytes == array.nbytes
    pool.give_back(array)
    assert pool.in_use_bytes == 0


def test_buffers_in_use_never_share_memory() -> None:
    pool = BufferPool(MemoryAccount(1_000))
    arrays = [pool.take((10,), FLOAT) for _ in range(5)]
    for index, array in enumerate(arrays):
        array[:] = index
    assert [int(a[0]) for a in arrays] == [0, 1, 2, 3, 4]


def test_the_pool_never_goes_beyond_the_budget() -> None:
    account = MemoryAccount(100)
    pool = BufferPool(account)
    array = pool.take((20,), FLOAT)
    with pytest.raises(
        BandError, match=r"40 B does not fit: 80 B of .* 100 B are in use"
    ) as caught:
        pool.take((10,), FLOAT)
    assert caught.value.code is ErrorCode.OUT_OF_MEMORY
    pool.give_back(array)
    assert account.used_bytes == 80
    pool.take((10,), FLOAT)  # the kept buffer of another size makes room
    assert account.used_bytes == 40


def test_trimming_frees_what_is_not_in_use() -> None:
    account = MemoryAccount(1_000)
    pool = BufferPool(account)
    kept, used = pool.take((10,), FLOAT), pool.take((5,), FLOAT)
    pool.give_back(kept)
    pool.trim()
    assert account.used_bytes == used.nbytes
