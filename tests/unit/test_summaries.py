import pytest

from core.domain.models import MAX_TIMESTAMP
from core.domain.summaries import MAX_BUCKETS, bucket_seconds, bucket_starts


@pytest.mark.parametrize(
    ("start", "end", "seconds"),
    [
        (0, 0, 1),
        (0, 59, 1),
        (0, 60, 5),
        (1, 60, 1),
        (1_700_000_000, 1_700_000_000 + 900, 30),
        (1_700_000_000, 1_700_000_000 + 86_400, 1800),
        (1_700_000_000, 1_700_000_000 + 30 * 86_400, 43_200 * 2),
        (0, MAX_TIMESTAMP, 200 * 365 * 86_400),
    ],
)
def test_buckets_are_as_narrow_as_their_number_allows(start: int, end: int, seconds: int) -> None:
    assert bucket_seconds(start, end) == seconds
    starts = bucket_starts(start, end, seconds)
    assert len(starts) <= MAX_BUCKETS
    assert starts[0] <= start < starts[0] + seconds
    assert starts[-1] <= end < starts[-1] + seconds
