#!/usr/bin/env python3
"""Trains a student on a distilled-set file, with NumPy and PyTorch alone: the lines of distilled-set.md.

    train_distilled.py FILE.npz [TEST.npz]    both of npz-sink; with a test set, prints the student's accuracy on it
    train_distilled.py --read FILE.npz        NumPy alone: what the file holds
"""
import sys

import numpy as np


def read(path):
    """Normalised images, labels, soft labels [n, v, classes] and windows [v, 4]; the latter two None without views."""
    d = dict(np.load(path))
    x, n_classes = d['images'], int(d['classes'][0])
    if x.dtype == np.uint8:  # stored values; f16 and f32 are normalised
        x = (x / 255 - d['mean'][:, None, None]) / d['std'][:, None, None]
    soft = d.get('dense_labels')
    if soft is not None and soft.dtype == np.uint8:
        soft = soft / 255
    if 'dense_classes' in d:  # top-k: what is missing is shared by the classes that are not named
        full = np.repeat((1 - soft.sum(2, keepdims=True)) / max(n_classes - soft.shape[2], 1), n_classes, 2)
        np.put_along_axis(full, d['dense_classes'].astype(int), soft, 2)
        soft = full
    return x.astype('f4'), d['labels'], None if soft is None else soft.astype('f4'), d.get('windows')


def student(torch, channels, size, classes):
    """ConvNet-D3 (arXiv 2006.05929): three times convolution, instance norm, ReLU, average pooling; then linear."""
    layers, side = [], size
    for depth in range(3):
        padding = 3 if depth == 0 and size == 28 else 1
        layers += [torch.nn.Conv2d(channels if depth == 0 else 128, 128, 3, padding=padding),
                   torch.nn.GroupNorm(128, 128), torch.nn.ReLU(), torch.nn.AvgPool2d(2)]
        side = (side + 2 * padding - 2) // 2
    return torch.nn.Sequential(*layers, torch.nn.Flatten(), torch.nn.Linear(128 * side * side, classes))


def train(path, epochs=300, seed=0):
    import torch
    import torch.nn.functional as F
    torch.manual_seed(seed)
    x, y, soft, windows = (None if a is None else torch.as_tensor(a) for a in read(path))
    h, w = x.shape[2:]
    d = np.load(path)
    net = student(torch, x.shape[1], h, int(d['classes'][0]))
    t = float(d['temperature'][0]) if 'temperature' in d else 1  # that soft labels were made with
    for epoch in range(epochs):
        if epoch in (0, epochs // 2 + 1):  # a tenth of the rate past half-way, and the momentum from zero
            sgd = torch.optim.SGD(net.parameters(), 0.01 if epoch == 0 else 0.001, momentum=0.9, weight_decay=5e-4)
        for at in torch.randperm(len(x)).split(256):
            loss = F.cross_entropy(net(x[at]), y[at].long())
            if soft is not None:  # a view of each image, cut and resized, with its soft label
                view = torch.randint(len(windows), (len(at),))
                left, top, width, height = windows[view].T[:, :, None]
                gx = (2 * left + (torch.arange(w) + 0.5) * 2 * width / w) / w - 1
                gy = (2 * top + (torch.arange(h) + 0.5) * 2 * height / h) / h - 1
                grid = torch.stack([gx[:, None].expand(-1, h, -1), gy[:, :, None].expand(-1, -1, w)], 3)
                cut = F.grid_sample(x[at], grid, padding_mode='border', align_corners=False)
                loss = loss + t * t / 2 * F.cross_entropy(net(cut) / t, soft[at, view])
            sgd.zero_grad()
            loss.backward()
            sgd.step()
    return net


def accuracy(net, path):
    import torch
    x, y, _, _ = read(path)
    with torch.no_grad():
        said = [net(part).argmax(1) for part in torch.as_tensor(x).split(500)]
    return (torch.cat(said).numpy() == y).mean()


if __name__ == '__main__':
    if sys.argv[1] == '--read':
        x, y, soft, windows = read(sys.argv[2])
        print(f'{len(x)} images of {x.shape[1:]}, mean {x.mean():.4f}, {len(np.unique(y))} classes')
        if soft is not None:
            print(f'{soft.shape[1]} views, soft labels that sum to {soft.sum(2).min():.4f} to {soft.sum(2).max():.4f}')
    else:
        for seed in range(3):
            net = train(sys.argv[1], seed=seed)
            print(f'student {seed}' + (f': {accuracy(net, sys.argv[2]):.2%}' if len(sys.argv) > 2 else ''), flush=True)
