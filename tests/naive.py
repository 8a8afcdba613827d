"""Slow, obvious twins of the kernels, in plain Python and numpy: each kernel must agree with its twin."""

from __future__ import annotations

import math

import numpy as np
