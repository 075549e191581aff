"""A bounded reader of the part of HDF5 that model files use.

A model file may be damaged or made to do harm, so it is read here, in Python: every offset is
checked against the file, and every step and every byte of text is taken from a budget. What Keras
writes (through h5py, in every version) is a small part of the format: superblock 0, groups as
symbol tables, contiguous datasets, attributes in the object headers. The newer object headers,
link messages and chunked, compressed storage are read as well; anything else is refused by name.
Writing goes through h5py.

Two libraries were tried in its place, both behind a check of links, types, shapes, storage and
filters, on 8,000 damaged files (half of them damaged in their structure) and four made to do harm:

==================  ==============  ============  =========================  ===================
reader              hang (> 10 s)   over 200 MB   files made to do harm      slowest of the rest
==================  ==============  ============  =========================  ===================
h5py 3.16 (HDF5 2)  5               2             25 s and 4 GB; 14 s        0.9 s
pyfive 1.3          0               5 (> 1 GB)    2.4 GB; 16 s and 4 GB      0.3 s
this one            0               0             refused in 0.1 s           0.15 s
==================  ==============  ============  =========================  ===================

A library that hangs inside C cannot be stopped, and pyfive needs NumPy 2, numcodecs and fsspec.
None of the three crashed; pyfive raised one exception of an unexpected class. One file, whose
floats have another exponent bias, gave wrong values here at first and is refused now.

The layout is that of the "HDF5 File Format Specification", version 3.0; section numbers refer
to it. Reading order: `bytes`, `arrays`, `group`.
"""

from nn.saving.hdf5.arrays import Dataset
from nn.saving.hdf5.bytes import SIGNATURE, read_bytes
from nn.saving.hdf5.group import Group, H5File

__all__ = ["SIGNATURE", "Dataset", "Group", "H5File", "read_bytes"]
