#!/usr/bin/python3
"""PyTorch's side of compare.py: the same workloads, lines and inputs as bench-matching.c.

    torch_matching.py train|match-IPC THREADS
"""
import importlib
import os
import resource
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'golden'))
golden = importlib.import_module('make-golden')

BATCH = 256


def convnet():
    """ConvNet-D3 from PyTorch's own modules, with the parameters of the formula."""
    layers, channels = [], 1
    for block in range(3):
        layers += [nn.Conv2d(channels, golden.WIDTH, 3, padding=3 if block == 0 else 1),
                   nn.GroupNorm(golden.WIDTH, golden.WIDTH), nn.ReLU(inplace=True), nn.AvgPool2d(2)]
        channels = golden.WIDTH
    network = nn.Sequential(*layers, nn.Flatten(), nn.Linear(16 * golden.WIDTH, golden.CLASSES))
    with torch.no_grad():
        for mine, made in zip(network.parameters(), golden.parameters()):
            mine.copy_(made)
    return network


def workload(name):
    """A function that does the work once and returns its value."""
    network = convnet()
    parameters = list(network.parameters())
    real = golden.images(golden.REAL, BATCH).float()
    if name == 'train':
        labels = torch.arange(BATCH) % golden.CLASSES

        def train():
            loss = F.cross_entropy(network(real), labels)
            torch.autograd.grad(loss, parameters)
            return loss
        return train

    ipc = int(name[len('match-'):])
    weights = [p for p in parameters if p.dim() > 1]  # the others are not matched
    synthetic = golden.images(golden.SYNTHETIC, ipc).float().requires_grad_(True)
    real_labels, synthetic_labels = torch.zeros(BATCH, dtype=torch.long), torch.zeros(ipc, dtype=torch.long)

    def match():
        of_real = torch.autograd.grad(F.cross_entropy(network(real), real_labels), weights)
        of_synthetic = torch.autograd.grad(F.cross_entropy(network(synthetic), synthetic_labels), weights,
                                           create_graph=True)
        distance = sum(golden.layer_distance(a, b) for a, b in zip(of_real, of_synthetic))
        torch.autograd.grad(distance, [synthetic])
        return distance
    return match


def main(name, threads):
    torch.set_num_threads(int(threads))
    work = workload(name)
    value = float('nan')
    for line in sys.stdin:
        times = []
        for _ in range(int(line)):
            start = time.perf_counter()
            value = work().item()
            times.append((time.perf_counter() - start) * 1e3)
        print(*('%.3f' % t for t in times), flush=True)
    print('%.9g %d' % (value, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024))
    print('PyTorch ' + torch.__version__)


if __name__ == '__main__':
    main(*sys.argv[1:])
