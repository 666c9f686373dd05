"""Shares under two-phase screening: a census above the cut, a sample below it, clustered by user.

Lives here: the interval of a share of all counted conversations, and what the sample costs in width. Not here: who is
sampled (`domain/selection.py`), the sums that feed it (`dbt/models/marts/mart_prevalence.sql`), shares within those who
were asked about, which are weighted like any sample (`wilson.py`).

The share is *share of all that are hits above the cut + part below the cut * share of hits among those sampled there*:
double sampling for stratification (Särndal, Swensson & Wretman 1992, Model Assisted Survey Sampling, section 9.4;
Cochran 1977, section 12.2). Its two terms have intervals of their own, each Wilson's at the clustered effective sample
size (`wilson.py`), and are put together by MOVER (Zou & Donner 2008, Statistics in Medicine 27:1693-1702; for strata:
Yan & Su 2010, Statistics in Biopharmaceutical Research 2:329-335). A variance would say that nothing lies below the cut
where the sample found nothing there; Wilson's end says what may.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import NamedTuple

from dagster_project.domain.estimation.wilson import CONFIDENCE, Interval, clustered_wilson_interval


class Part(NamedTuple):
    """Hits of one term. share: of what it is measured against; residual: as `residual_square`; n, users: counted there.

    Above the cut it is measured against all counted conversations, below against those sampled there.
    """

    share: float
    residual: float
    n: int
    users: int


def two_phase_interval(
    above: Part, below: Part | None, below_part: float, confidence: float = CONFIDENCE
) -> Interval | None:
    """The interval of above.share + below_part * below.share. below_part: of all counted conversations, in [0, 1].

    Without anything below the cut it is the census's. None where there is something below, and nobody sampled of it:
    nothing is known then. Raises ValueError as `clustered_wilson_interval` does.
    """
    over = clustered_wilson_interval(*above, confidence=confidence)
    if below_part == 0:
        return over
    if below is None or below.n < 1:
        return None
    under = clustered_wilson_interval(*below, confidence=confidence)
    value = above.share + below_part * below.share
    down = math.hypot(above.share - over.low, below_part * (below.share - under.low))
    up = math.hypot(over.high - above.share, below_part * (under.high - below.share))
    return Interval(max(0.0, value - down), min(1.0, value + up))


def interval_of_few(hits: float, of: float, weight: float, fewest: int, users: float, is_sampled: bool) -> Interval:
    """An interval of hits / of where fewer than `fewest` hits were sampled, which does not tell how few.

    An interval as above tells it: it grows with each. This one is as wide as `fewest` of them make it, and the same for
    none. weight: how many a sampled hit stands for. users: the variance of the hits that were not sampled, in
    conversations squared: of a census above the cut, `residual_square` times `of` squared; where that is not known, at
    most the hits times the most that a user may have. is_sampled: whether the denominator is estimated, too.

    The variance is the sum of that one, of fewest * weight ** 2 (sampled hits, Poisson), and of the denominator's part
    (linearised ratio: Särndal, Swensson & Wretman 1992, section 5.6): share ** 2 * weight * of where it is sampled;
    where it is counted, that of the share below the cut alone, at most fewest * weight / of. The ends lie in [0, 1].
    """
    share = min(hits / of, 1.0)
    ratio = share if is_sampled else fewest * weight / of
    half = NormalDist().inv_cdf((1 + CONFIDENCE) / 2) * math.sqrt(fewest * weight**2 + users + ratio**2 * weight * of)
    return Interval(max(0.0, share - half / of), min(1.0, share + half / of))


def relative_width(share: float, missed: float, sample_rate: float, clustering: float = 1.0) -> float:
    """How many times as wide an interval is as that of a census of the same conversations; the design effect's root.

    missed: of the hits, the part that lies below the cut. clustering: the design effect of users in the census. From
    the variances of both phases (Cochran 1977, formula 12.3): the census's share * (1 - share) * clustering, and
    missed * share * (1 / sample_rate - 1) of the sample below, where hits are rare. With many conversations: intervals
    of few hits are wider than their variance.
    """
    return math.sqrt(1 + missed * (1 / sample_rate - 1) / ((1 - share) * clustering))
