#!/usr/bin/python3
"""Writes the files of torch.save() that tests/tensor/test-pt.c and tests/plugins/test-tensors.c read.

    /usr/bin/python3 tests/golden/make-pt.py        (Debian: python3-torch, python3-numpy)

writes tensors.pt and distilled.pt beside this file. The tests need the files only, not PyTorch.
"""
import collections
import os

import numpy as np
import torch

HERE = os.path.dirname(os.path.abspath(__file__))

# Every dtype, with values that a wrong width, sign or byte order would change; views of one storage; kinds of containers.
base = torch.arange(24, dtype=torch.float32).reshape(2, 3, 4)
torch.save(collections.OrderedDict([
    ('f32', torch.tensor([1.5, -0.0, float('inf')], dtype=torch.float32)),
    ('f64', torch.tensor([0.1, -2.0 ** 300], dtype=torch.float64)),
    ('f16', torch.tensor([1.0, -0.0, 65504.0, 2.0 ** -24, 0.333251953125, float('-inf')], dtype=torch.float16)),
    ('bf16', torch.tensor([1.0, -3.140625, 2.0 ** 127], dtype=torch.bfloat16)),
    ('i64', torch.tensor([-1, 2 ** 40], dtype=torch.int64)),
    ('i32', torch.tensor([-1, 2 ** 30], dtype=torch.int32)),
    ('i16', torch.tensor([-1, 300], dtype=torch.int16)),
    ('i8', torch.tensor([-1, 100], dtype=torch.int8)),
    ('u8', torch.tensor([0, 255], dtype=torch.uint8)),
    ('bool', torch.tensor([True, False])),
    ('views', [base, base.permute(2, 0, 1), base[1, 1:, ::2], base[:1, :1, :1].expand(2, 1, 2)]),
    ('scalar', (torch.tensor(7.0), torch.zeros(0, 3))),
    ('parameter', torch.nn.Parameter(torch.tensor([2.0]))),
    (5, {'text': 'no tensor', 'none': None, 'float': 0.5, 'long': 2 ** 40, 'numpy': np.float64(1 / 3)}),
]), os.path.join(HERE, 'tensors.pt'))

# As VICO-UoE/DatasetCondensation, main.py, saves its results: image i is i in red, -i in green, 0.5 in blue.
images = torch.zeros(4, 3, 8, 8)
for i in range(4):
    images[i, 0], images[i, 1], images[i, 2] = i, -i, 0.5
torch.save({'data': [[images, torch.tensor([0, 0, 1, 1])]], 'accs_all_exps': {'ConvNet': [np.float64(0.25)]}},
           os.path.join(HERE, 'distilled.pt'))
