r"""How far the word of a host can be trusted, and how many words an item needs.

Decides from past votes alone. A host's error rate has a beta distribution whose prior is worth one
observation; its mean is the share of liars that is assumed, or the error rate of the host's trust
domain where that is worse: distrust is shared, trust is earned by each host alone. Every
observation lets all earlier ones fade. After c agreements and no failure the estimate is
f / (1 + c), which for f <= 0.25 lies above the worst case f / ((1 - f) e c) that Sarmenta gives for
spot checks with blacklisting ("Sabotage-tolerance mechanisms for volunteer computing systems",
2002), whatever the rate at which such a host lies. Credibility of agreeing answers is his as well.

The bound. N items, H hosts whose word is taken alone, a share f of them lies. An item that rests on one host's word alone is
checked by a copy in another domain with probability q, drawn from a secret of the log after the
answer came; a host that is caught once loses all its items that rest on its word alone: they are
done again elsewhere before the swarm converges. A host that lies on any m of its items, chosen by
any rule whatever (at once, at random, after fifty honest ones), keeps m wrong results with
probability (1 - q)^m, so in expectation at most g(q) = max over m of m (1 - q)^m. Hence the
expected share of wrong results is at most f H g(q) / N, plus what is allowed to items on which
several domains agree. It assumes: wrong answers of two domains agree only by chance, as the
credibility of a group prices it; no more than f of these hosts lie; hosts cannot foresee the draw;
no item has used up its copies before it was certain (`Panel.uncertain` counts those that have).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from swarm_ray.core.plan import FULL_PPM

FADE_PPM = 990_000
"""What one more observation leaves of the earlier ones: about the last hundred count."""
TRUSTED_PPM = 40_000
"""Estimated error rate up to which a host's word alone is enough; four agreements reach it."""
FORGIVEN_PPM = 500_000
"""What may be left of failures by then; one is forgiven after 69 agreements."""
OUTCAST_PPM = 100_000
"""Estimated error rate beyond which a host is given nothing while others are there."""
OUTCAST_FAILURES = 2
SOLE_PPM = 800_000
"""Share of the target that results on one host's word may use; the rest is for agreeing ones."""
STEP_PPM = 10_000


@dataclass(slots=True)
class Record:
    """Faded counts of right and wrong answers, in ppm of one observation, and all failures."""

    right_ppm: int = 0
    wrong_ppm: int = 0
    failures: int = 0

    def observe(self, *, right: bool) -> None:
        """Add one observation and let the earlier ones fade."""
        self.right_ppm = self.right_ppm * FADE_PPM // FULL_PPM + (FULL_PPM if right else 0)
        self.wrong_ppm = self.wrong_ppm * FADE_PPM // FULL_PPM + (0 if right else FULL_PPM)
        self.failures += not right

    def error_ppm(self, prior_ppm: int) -> int:
        """Return the mean of the beta distribution, in parts per million."""
        seen_ppm = self.right_ppm + self.wrong_ppm
        return (self.wrong_ppm + prior_ppm) * FULL_PPM // (seen_ppm + FULL_PPM)


@dataclass(slots=True)
class Reputation:
    """Records of the hosts of one swarm and of their trust domains; `liars_ppm` is the share of
    liars that is assumed."""

    liars_ppm: int
    hosts: dict[str, Record] = field(default_factory=dict)
    domains: dict[str, Record] = field(default_factory=dict)

    def observe(self, host: str, domain: str, *, right: bool) -> None:
        """A host's answer turned out right or wrong."""
        self.hosts.setdefault(host, Record()).observe(right=right)
        if domain != host:
            self.domains.setdefault(domain, Record()).observe(right=right)

    def error_ppm(self, host: str, domain: str) -> int:
        """Return the estimated error rate of a host, at least 1."""
        shared = self.domains.get(domain)
        prior_ppm = self.liars_ppm
        if shared is not None:
            prior_ppm = max(prior_ppm, shared.error_ppm(prior_ppm))
        record = self.hosts.get(host)
        return max(1, record.error_ppm(prior_ppm) if record is not None else prior_ppm)

    def trusted(self, host: str, domain: str) -> bool:
        """Say whether the word of a host alone may be taken."""
        record = self.hosts.get(host)
        if record is None or record.wrong_ppm > FORGIVEN_PPM:
            return False
        return self.error_ppm(host, domain) <= TRUSTED_PPM

    def outcast(self, host: str, domain: str) -> bool:
        """Say whether a host has failed so often that it should be given nothing."""
        record = self.hosts.get(host)
        if record is None or record.failures < OUTCAST_FAILURES:
            return False
        return self.error_ppm(host, domain) > OUTCAST_PPM


def doubts_ppm(groups: Sequence[Sequence[int]]) -> list[int]:
    """Return for each class of answers the probability that it is wrong, rounded up.

    `groups` holds the error rates in ppm of those who gave each answer, each below 1,000,000. After
    Sarmenta 2002: a class is right if all of it told the truth and all others did not, or nobody
    did; a host that is more often wrong than not says nothing.
    """
    odds = [[min(one, FULL_PPM // 2) for one in group] for group in groups]
    all_wrong = 1
    for group in odds:
        for one in group:
            all_wrong *= one
    right = []
    for group in odds:
        share, wrong = all_wrong, 1
        for one in group:
            share, wrong = share * (FULL_PPM - one), wrong * one
        right.append(share // wrong)
    total = sum(right) + all_wrong
    return [-(-FULL_PPM * (total - one) // total) for one in right]


def kept_ppm(check_ppm: int) -> int:
    """Return g(q): the most wrong results that a liar keeps in expectation, in ppm of one."""
    best, power, lies = 0, FULL_PPM, 0
    while True:
        lies += 1
        power = power * (FULL_PPM - check_ppm) // FULL_PPM
        if lies * power <= best:
            return best
        best = lies * power


@lru_cache(maxsize=256)
def check_rate_ppm(liars_ppm: int, hosts: int, items: int, target_ppm: int) -> int:
    """Return the least spot-check rate, in whole percent, that keeps the bound of results on one
    host's word below its share of the target."""
    allowed_ppm = items * target_ppm * SOLE_PPM // FULL_PPM
    low, high = STEP_PPM, FULL_PPM
    while low < high:
        middle = (low + high) // 2 // STEP_PPM * STEP_PPM
        if hosts * liars_ppm * kept_ppm(middle) // FULL_PPM <= allowed_ppm:
            high = middle
        else:
            low = middle + STEP_PPM
    return high


def bound_ppm(liars_ppm: int, hosts: int, items: int, check_ppm: int) -> int:
    """Return the bound on the expected share of wrong results among those that rest on one host's
    word, in ppm of all items, rounded up."""
    return -(-hosts * liars_ppm * kept_ppm(check_ppm) // (FULL_PPM * items)) if items else 0
