"""Mergeable sufficient statistics: every class is an accumulator (see :mod:`smlnb.stats.base`)."""
