#!/usr/bin/python3
"""PyTorch's side of compare: the same workloads, lines and inputs as bench-networks.c.

    torch_peer.py train|match-IPC|epoch|mtt-IPC-N|ARCHITECTURE THREADS

The networks are those of tests/golden/torch_networks.py, as PyTorch likes them best: weights stored in its own order,
ReLU in place, all data resident.
"""
import importlib
import os
import resource
import sys
import time

import torch
import torch.nn.functional as F

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'golden'))
golden = importlib.import_module('make-golden')
networks = importlib.import_module('torch_networks')

CLASSES, BATCH, SMALL_BATCH, EPOCH = 10, 256, 64, 60000


class InPlace:
    """torch.nn.functional with ReLU in place."""

    def __getattr__(self, name):
        return getattr(F, name)

    @staticmethod
    def relu(x):
        return F.relu(x, inplace=True)


class Parameters(networks.Tensors):
    """Makes the tensors once, in PyTorch's own order, and hands them out at every call of the network."""

    def __init__(self):
        super().__init__(golden.numbers)
        self.made, self.next = [], 0

    def take(self, role, *shape, order=None):
        if self.next == len(self.made):
            made = super().take(role, *shape).detach().float()
            made = made.permute(order) if order else made
            # A copy in the standard strides: those that permute leaves on one channel make PyTorch take its slower
            # channels-last kernels.
            copy = torch.empty(made.shape).copy_(made)
            self.made.append(copy.requires_grad_(True))
        self.next += 1
        return self.made[self.next - 1]

    def conv(self, x, out, size, stride=1, pad=0, bias=True):
        weight = self.take('weight', out, size, size, x.shape[1], order=(0, 3, 1, 2))
        return F.conv2d(x, weight, self.take('bias', out) if bias else None, stride, pad)


def network_of(name):
    """The function from images to scores, and its parameters."""
    networks.CLASSES = CLASSES
    networks.F = InPlace()
    family, depth = (networks.convnet, [3]) if name == 'convnet-d3' else (getattr(networks, name), [])
    parameters = Parameters()

    def apply(images, values=None):
        """@values stand in for the parameters."""
        own, parameters.next = parameters.made, 0
        parameters.made = own if values is None else values
        scores = family(parameters, images, *depth)
        parameters.made = own
        return scores
    with torch.no_grad():
        apply(torch.zeros(1, 1, 28, 28))
    return apply, parameters.made


def images_of(stream, count):
    """[count, 1, 28, 28] from numbers in the order n, h, w, c, which is the same for one channel."""
    return golden.numbers(stream, (count, 1, 28, 28), 0, 2).float()


def train_step(name, batch):
    network, parameters = network_of(name)
    images, labels = images_of(golden.REAL, batch), torch.arange(batch) % CLASSES

    def train():
        loss = F.cross_entropy(network(images), labels)
        torch.autograd.grad(loss, parameters)
        return loss
    return train


def match_step(ipc):
    network, parameters = network_of('convnet-d3')
    weights = [p for p in parameters if p.dim() > 1]  # the others are not matched
    real, synthetic = images_of(golden.REAL, BATCH), images_of(golden.SYNTHETIC, ipc).requires_grad_(True)
    real_labels, synthetic_labels = torch.zeros(BATCH, dtype=torch.long), torch.zeros(ipc, dtype=torch.long)

    def match():
        of_real = torch.autograd.grad(F.cross_entropy(network(real), real_labels), weights)
        of_synthetic = torch.autograd.grad(F.cross_entropy(network(synthetic), synthetic_labels), weights,
                                           create_graph=True)
        distance = sum(golden.layer_distance(a, b) for a, b in zip(of_real, of_synthetic))
        torch.autograd.grad(distance, [synthetic])
        return distance
    return match


def matched_trajectory(ipc, steps):
    """One iteration of trajectory matching as its public code does it: through the unrolled graph."""
    network, parameters = network_of('convnet-d3')
    images = images_of(golden.SYNTHETIC, CLASSES * ipc).requires_grad_(True)
    labels, rate = torch.arange(CLASSES).repeat_interleave(ipc), torch.tensor(0.01, requires_grad=True)

    def iteration():
        student = parameters.copy()
        for _ in range(steps):
            loss = F.cross_entropy(network(images, student), labels)
            gradients = torch.autograd.grad(loss, student, create_graph=True)
            student = [p - rate * g for p, g in zip(student, gradients)]
        # From the start to three quarters of it.
        distance = sum((p - 0.75 * s.detach()).square().sum() for p, s in zip(student, parameters))
        distance = distance / sum((0.25 * s.detach()).square().sum() for s in parameters)
        by_images, _ = torch.autograd.grad(distance, [images, rate])
        return by_images.norm()
    return iteration


def epoch():
    network, parameters = network_of('convnet-d3')
    images, labels = images_of(golden.REAL, EPOCH), torch.arange(EPOCH) % CLASSES
    optimiser = torch.optim.SGD(parameters, lr=0.01, momentum=0.9)

    def train():
        losses = []
        for chosen in torch.randperm(EPOCH).split(BATCH):
            loss = F.cross_entropy(network(images[chosen]), labels[chosen])
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            losses.append(loss.detach())
        return torch.stack(losses).mean()
    return train


def workload(name):
    """A function that does the work once and returns its value."""
    if name == 'train':
        return train_step('convnet-d3', BATCH)
    if name == 'epoch':
        return epoch()
    if name.startswith('mtt-'):
        return matched_trajectory(*(int(number) for number in name[len('mtt-'):].split('-')))
    if name.startswith('match-'):
        return match_step(int(name[len('match-'):]))
    return train_step(name, SMALL_BATCH)


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
