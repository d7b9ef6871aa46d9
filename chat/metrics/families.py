"""Numbers to metric families of the text format. Pure."""

from collections.abc import Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from chat.metrics.names import Named
from chat.tally import Spread

Labels = tuple[str, ...]


def counter(named: Named, counts: Mapping[Labels, float]) -> Metric:
    family = CounterMetricFamily(named.name, named.says, labels=named.labels)
    for labels, value in sorted(counts.items()):
        family.add_metric(labels, value)
    return family


def gauge(named: Named, values: Mapping[Labels, float]) -> Metric:
    family = GaugeMetricFamily(named.name, named.says, labels=named.labels)
    for labels, value in sorted(values.items()):
        family.add_metric(labels, value)
    return family


def histogram(named: Named, spreads: Mapping[Labels, Spread]) -> Metric:
    family = HistogramMetricFamily(named.name, named.says, labels=named.labels)
    for labels, spread in sorted(spreads.items()):
        upto, buckets = 0, []
        for bound, count in zip([*map(str, spread.bounds), "+Inf"], spread.counts, strict=True):
            upto += count
            buckets.append((bound, float(upto)))
        family.add_metric(labels, buckets, spread.total)
    return family
