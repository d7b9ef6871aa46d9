"""How often the collector of cycles looks at what."""

import gc

THRESHOLDS = (10_000, 20, 50)


def settle() -> None:
    """To be called once, when everything has been started: what stands then stands for good. Else each full collection
    walks through all modules, tables and templates, 50 to 150 ms in which nobody is served, ten times a minute under
    load (a quarter of the processor time of a stored message was spent on it)."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
