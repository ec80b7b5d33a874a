#!/usr/bin/python3
"""Writes the golden values that test-golden.c checks the tensor engine against, computed independently by PyTorch.

    /usr/bin/python3 tests/golden/make-golden.py        (Debian: python3-torch, python3-numpy)

writes convnet.npz, grad-cam.npz, matching.npz, networks.npz, operations.npz, methods.npz and training.npz beside this file,
all in double precision. The tests need the files only, not PyTorch.

Inputs are not stored. Both sides make them from one formula, in unsigned 32-bit arithmetic that wraps around. Element i
(from 0, row-major) of the number stream s is

    h = i * 0x9E3779B1 + s * 0x85EBCA77 + 1
    h = (h ^ (h >> 15)) * 0x2C1B3C6D
    h = (h ^ (h >> 12)) * 0x297A2D39
    h = h ^ (h >> 15)
    u = (h >> 16) / 2^15 - 1                             in [-1, 1)

and a tensor's element is offset + scale * u. Offsets and scales are such that every element is a whole multiple of 2^-20
and small: float and double hold the same number.

The order of elements is the C one: images [n, h, w, c], convolution weights [out, kernel_h, kernel_w, in], weights of the
linear layer [classes, h * w * c] with features in the order h, w, c. PyTorch's tensors are permuted from and to it.

ConvNet-D3 of width 128 for 28 x 28 grey images and 10 classes has 14 parameter tensors, made of the streams 0 to 13:

    index                      tensor of a block                   offset, scale
    0, 4, 8                    convolution weight                  0, 1/4 (first), 1/32 (others)
    1, 5, 9                    convolution bias                    0, 1/8
    2, 6, 10                   norm scale                          1, 1/4
    3, 7, 11                   norm offset                         0, 1/8
    12, 13                     linear weight, linear bias          0, 1/32; 0, 1/8
"""
import os
import sys

import numpy as np
import torch
import torch.nn.functional as F

import torch_methods
import torch_networks

CLASSES = 10
WIDTH = 128
SHAPES = [(WIDTH, 3, 3, 1), (WIDTH,), (WIDTH,), (WIDTH,)] + 2 * [(WIDTH, 3, 3, WIDTH), (WIDTH,), (WIDTH,), (WIDTH,)] \
    + [(CLASSES, 4 * 4 * WIDTH), (CLASSES,)]
SCALES = [1 / 4, 1 / 8, 1 / 4, 1 / 8] + 2 * [1 / 32, 1 / 8, 1 / 4, 1 / 8] + [1 / 32, 1 / 8]
OFFSETS = 3 * [0, 0, 1, 0] + [0, 0]

# Streams of everything that is not a parameter tensor.
IMAGES, REAL, SYNTHETIC, PICTURE, VECTOR, GRADIENT, MAPS, WEIGHTS, DIRECTION, SCORES, TARGETS = range(100, 111)
PHOTOS, PHOTO_WEIGHTS, PHOTO_DIRECTION, SET, MIXING = range(120, 125)

KEPT = 32  # leading elements stored of a parameter's gradient


def numbers(stream, shape, offset=0.0, scale=1.0):
    """The tensor of the formula above, in the C order."""
    i = np.arange(int(np.prod(shape)), dtype=np.uint32)
    h = i * np.uint32(0x9E3779B1) + np.uint32(stream * 0x85EBCA77 + 1 & 0xFFFFFFFF)
    h = (h ^ (h >> np.uint32(15))) * np.uint32(0x2C1B3C6D)
    h = (h ^ (h >> np.uint32(12))) * np.uint32(0x297A2D39)
    h = h ^ (h >> np.uint32(15))
    u = (h >> np.uint32(16)).astype(np.float64) / 2 ** 15 - 1
    return torch.from_numpy(offset + scale * u).reshape(shape)


def channels_first(x):
    """[n, h, w, c] as [n, c, h, w]; for weights [out, kh, kw, in] as [out, in, kh, kw]."""
    # With one channel contiguous() would keep strides that PyTorch takes for channels last, its slower layout.
    return x.permute(0, 3, 1, 2).clone(memory_format=torch.contiguous_format)


def channels_last(x):
    return x.permute(0, 2, 3, 1).contiguous()


def to_torch(k, x):
    """Parameter tensor @k from the C order to PyTorch's."""
    if x.dim() == 4:
        return channels_first(x)
    if x.dim() == 2:
        return channels_first(x.reshape(CLASSES, 4, 4, WIDTH)).reshape(CLASSES, -1)
    return x


def to_c(k, x):
    """Parameter tensor @k from PyTorch's order to the C one."""
    if x.dim() == 4:
        return channels_last(x)
    if x.dim() == 2:
        return channels_last(x.reshape(CLASSES, WIDTH, 4, 4)).reshape(CLASSES, -1)
    return x


def parameters():
    return [to_torch(k, numbers(k, shape, OFFSETS[k], SCALES[k])).requires_grad_(True)
            for k, shape in enumerate(SHAPES)]


def features(p, x, activation):
    for block in range(3):
        weight, bias, scale, offset = p[4 * block:4 * block + 4]
        x = F.conv2d(x, weight, bias, padding=3 if block == 0 else 1)
        x = F.avg_pool2d(activation(F.instance_norm(x, weight=scale, bias=offset, eps=1e-5)), 2)
    return x.reshape(x.shape[0], -1)


def convnet(p, x, activation):
    return F.linear(features(p, x, activation), p[12], p[13])


def images(stream, count):
    return channels_first(numbers(stream, (count, 28, 28, 1), 0, 2))


def summary(k, gradient):
    """What is stored of a large gradient: L2 norm, sum and the first elements in the C order."""
    g = to_c(k, gradient.detach()).reshape(-1)
    first = torch.zeros(KEPT, dtype=torch.float64)
    first[:min(KEPT, g.numel())] = g[:KEPT]
    return torch.cat([torch.stack([g.norm(), g.sum()]), first])


def network_values(activation):
    """A batch of 4 through the network: scores, loss and the gradient of every parameter."""
    p = parameters()
    scores = convnet(p, images(IMAGES, 4), activation)
    loss = F.cross_entropy(scores, torch.tensor([1, 4, 7, 0]))
    gradients = torch.autograd.grad(loss, p)
    return {'scores': scores, 'loss': loss,
            'gradients': torch.stack([summary(k, g) for k, g in enumerate(gradients)]),
            **penalty_values(p, activation)}


def penalty_values(p, activation):
    """The gradient penalty of AST (arXiv 2310.10541) at the same batch, and its gradient by every parameter."""
    x = images(IMAGES, 4).requires_grad_(True)
    slope, = torch.autograd.grad(convnet(p, x, activation).sum(), x, create_graph=True)
    penalty = ((slope.square().sum(1) + 1e-12).sqrt() - 1).square().mean()
    gradients = [torch.zeros_like(q) if g is None else g
                 for g, q in zip(torch.autograd.grad(penalty, p, allow_unused=True), p)]
    return {'penalty': penalty, 'penalty_gradients': torch.stack([summary(k, g) for k, g in enumerate(gradients)])}


def layer_distance(real, synthetic):
    """Distance "ours" of gradient matching (Zhao, Mopuri, Bilen, arXiv 2006.05929), one layer's weight."""
    a, b = (g.reshape(g.shape[0], -1) for g in (real, synthetic))
    return (1 - (a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1) + 1e-6)).sum()


def matching_values(activation):
    """One matching step of class 3: 8 real images, 2 synthetic ones; the gradient is that of the synthetic images."""
    p = parameters()
    x = images(SYNTHETIC, 2).requires_grad_(True)
    real = torch.autograd.grad(F.cross_entropy(convnet(p, images(REAL, 8), activation), torch.full((8,), 3)), p)
    synthetic = torch.autograd.grad(F.cross_entropy(convnet(p, x, activation), torch.full((2,), 3)), p,
                                    create_graph=True)
    layers = torch.stack([layer_distance(real[k], synthetic[k]) for k in (0, 4, 8, 12)])
    distance = layers.sum()
    gradient, = torch.autograd.grad(distance, x)
    return {'distance': distance, 'layers': layers, 'gradient': gradient}


def crop_values():
    """Windows (x, y, width, height) of a 12 x 10 picture with 2 channels, each resized to 12 x 10."""
    windows = torch.tensor([[0, 0, 10, 12], [2, 3, 6, 7], [0, 5, 5, 7], [7, 0, 3, 4], [4, 6, 1, 1], [9, 0, 1, 12]])
    picture = channels_first(numbers(PICTURE, (1, 12, 10, 2)))
    views = [F.interpolate(picture[:, :, y:y + h, x:x + w], size=(12, 10), mode='bilinear', align_corners=False)
             for x, y, w, h in windows.tolist()]
    return {'windows': windows.double(), 'views': channels_last(torch.cat(views))}


def sgd_values():
    """Three steps on 5 numbers, momentum 0.9, weight decay 0.0005, rate 0.1; the gradient of step s is row s."""
    p = numbers(VECTOR, (5,)).requires_grad_(True)
    optimiser = torch.optim.SGD([p], lr=0.1, momentum=0.9, weight_decay=0.0005)
    steps = []
    for gradient in numbers(GRADIENT, (3, 5)):
        p.grad = gradient.clone()
        optimiser.step()
        steps.append(p.detach().clone())
    return {'sgd': torch.stack(steps)}


def norm_values():
    """Instance norm y of x; g = d sum(a y) / dx; and d sum(b g) / dx, which takes the second derivative."""
    x = channels_first(numbers(MAPS, (2, 3, 4, 3))).requires_grad_(True)
    a = channels_first(numbers(WEIGHTS, (2, 3, 4, 3)))
    b = channels_first(numbers(DIRECTION, (2, 3, 4, 3)))
    y = F.instance_norm(x, eps=1e-5)
    first, = torch.autograd.grad((a * y).sum(), x, create_graph=True)
    second, = torch.autograd.grad((b * first).sum(), x)
    return {'norm': channels_last(y), 'norm_first': channels_last(first), 'norm_second': channels_last(second)}


def soft_label_values():
    """Mean cross-entropy of 5 rows of 7 scores with soft labels (positive numbers, divided by their row's sum)."""
    scores = numbers(SCORES, (5, 7), 0, 4).requires_grad_(True)
    targets = numbers(TARGETS, (5, 7), 1.25, 1)
    targets = targets / targets.sum(1, keepdim=True)
    loss = F.cross_entropy(scores, targets)
    gradient, = torch.autograd.grad(loss, scores)
    return {'log_softmax': F.log_softmax(scores, 1), 'soft_loss': loss, 'soft_gradient': gradient}


def adam_values():
    """As sgd_values, for Adam and AdamW; rate 0.1, betas 0.9 and 0.99, weight decay 0.05. Step 3 has a rate of 0.02."""
    values = {}
    for optimiser in torch.optim.Adam, torch.optim.AdamW:
        p = numbers(VECTOR, (5,)).requires_grad_(True)
        o = optimiser([p], lr=0.1, betas=(0.9, 0.99), eps=1e-3, weight_decay=0.05)
        steps = []
        for step, gradient in enumerate(numbers(GRADIENT, (4, 5))):
            o.param_groups[0]['lr'] = 0.1 if step < 3 else 0.02
            p.grad = gradient.clone()
            o.step()
            steps.append(p.detach().clone())
        values[optimiser.__name__.lower()] = torch.stack(steps)
    return values


def clip_values():
    """Gradients of a vector (row 0) and of a matrix (rows 1 to 3), clipped together to 0.5, and to 100, which they do not
    reach."""
    values = []
    for limit in 0.5, 100:
        gradients = numbers(GRADIENT, (4, 5))
        parameters = [torch.zeros(5), torch.zeros(3, 5)]
        parameters[0].grad, parameters[1].grad = gradients[0].clone(), gradients[1:].clone()
        torch.nn.utils.clip_grad_norm_(parameters, limit)
        values.append(torch.cat([parameters[0].grad[None], parameters[1].grad]))
    return {'clipped': torch.stack(values)}


def affine(x, theta):
    """Bilinear sampling at affinely mapped places, filled with zero. grid_sample() has no second derivative, so it is
    asked for its matrix, one unit image for each pixel."""
    n, c, h, w = x.shape
    units = torch.eye(h * w, dtype=x.dtype).reshape(h * w, 1, h, w)
    grid = F.affine_grid(torch.tensor([theta], dtype=x.dtype).repeat(h * w, 1, 1), units.shape, align_corners=False)
    matrix = F.grid_sample(units, grid, mode='bilinear', padding_mode='zeros', align_corners=False)
    return (x.reshape(n * c, h * w) @ matrix.reshape(h * w, h * w)).reshape(n, c, h, w)


def color(x, brightness, saturation, contrast):
    x = x + brightness
    grey = x.mean(1, keepdim=True)
    x = (x - grey) * saturation + grey
    mean = x.mean((1, 2, 3), keepdim=True)
    return (x - mean) * contrast + mean


def crop(x, right, down):
    """Pixel (i, j) shows (i + down, j + right), zero outside."""
    size = x.shape[2]
    padded = F.pad(x, (size, size, size, size))
    return padded[:, :, size + down:2 * size + down, size + right:2 * size + right]


def cutout(x, left, top, size):
    mask = torch.ones_like(x[:, :1])
    mask[:, :, max(top, 0):top + size, max(left, 0):left + size] = 0
    return x * mask


def rotate(x, degrees):
    angle = np.deg2rad(degrees)
    return affine(x, [[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0]])


AUGMENTATIONS = {
    'color': lambda x: color(x, 0.25, 1.5, 0.75),
    'crop': lambda x: crop(x, 1, -1),
    'cutout': lambda x: cutout(x, -2, 3, 6),
    'flip': lambda x: x.flip(3),
    'scale': lambda x: affine(x, [[1.125, 0, 0], [0, 0.875, 0]]),
    'rotate': lambda x: rotate(x, 12.5),
}


def augmentation_values():
    """Two images of 11 x 11 x 3 through each op of differentiable siamese augmentation (Zhao, Bilen, arXiv 2102.08259),
    y = op(x), with g = d sum(a y^2) / dx and h = d sum(b g) / dx."""
    values = {}
    for name, op in AUGMENTATIONS.items():
        x, a, b = (channels_first(numbers(stream, (2, 11, 11, 3))) for stream in (PHOTOS, PHOTO_WEIGHTS, PHOTO_DIRECTION))
        x.requires_grad_(True)
        y = op(x)
        first, = torch.autograd.grad((a * y * y).sum(), x, create_graph=True)
        second, = torch.autograd.grad((b * first).sum(), x)
        values.update({name: channels_last(y), name + '_first': channels_last(first),
                       name + '_second': channels_last(second)})
    return values


def cutmix_values():
    """CutMix (Yun et al., arXiv 1905.04899) of four images of 11 x 11 x 3, those of PHOTOS at 3, 0, 1, 2 showing in the
    rectangle of rows 2 to 6 and columns 5 to 10, under a linear network of 10 classes: the mixed images, the loss as
    the field's codes have it, a mean of two cross-entropies weighed by the areas, and its gradient by the weights."""
    x = channels_first(numbers(PHOTOS, (4, 11, 11, 3)))
    weights = numbers(PHOTO_WEIGHTS, (10, 11 * 11 * 3), 0, 1 / 8).requires_grad_(True)
    target, partner = torch.tensor([1, 7, 7, 4]), torch.tensor([3, 0, 1, 2])
    mixed = x.clone()
    mixed[:, :, 2:7, 5:11] = x[partner][:, :, 2:7, 5:11]
    mixed = channels_last(mixed)
    scores = mixed.reshape(4, -1) @ weights.T
    kept = 1 - 5 * 6 / (11 * 11)
    loss = F.cross_entropy(scores, target) * kept + F.cross_entropy(scores, target[partner]) * (1 - kept)
    gradient, = torch.autograd.grad(loss, weights)
    return {'cutmix': mixed, 'cutmix_loss': loss, 'cutmix_gradient': gradient}


def whitening_values():
    """30 images [2, 3, 4], given in the order of streams, that are 30 x 10 numbers mixed by a 10 x 24 matrix, so that
    the covariance has rank 10; ZCA whitening with epsilon 0.1 of them."""
    x = numbers(SET, (30, 10)) @ numbers(MIXING, (10, 24)) + 0.5
    mean = x.mean(0)
    covariance = (x - mean).T @ (x - mean) / (len(x) - 1)
    u, s, _ = torch.linalg.svd(covariance)
    return {'whitened': (x - mean) @ u @ torch.diag((s + 0.1).rsqrt()) @ u.T,
            'unwhitening': u @ torch.diag((s + 0.1).sqrt()) @ u.T, 'whitening_mean': mean}


def write(name, values):
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), name)
    np.savez(path, **{k: v.detach().numpy() for k, v in values.items()})
    print(path, os.path.getsize(path), 'bytes')


def main():
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    for name, values in ('convnet.npz', network_values), ('matching.npz', matching_values):
        write(name, {activation.__name__ + '_' + key: value
                     for activation in (torch.relu, torch.tanh) for key, value in values(activation).items()})
    write('methods.npz', torch_methods.values(sys.modules[__name__]))
    write('grad-cam.npz', torch_networks.grad_cam_values(numbers, IMAGES))
    write('networks.npz', torch_networks.values(numbers, IMAGES))
    write('operations.npz', {**crop_values(), **sgd_values(), **norm_values(), **soft_label_values()})
    write('training.npz', {**adam_values(), **clip_values(), **augmentation_values(), **cutmix_values(),
                           **whitening_values()})


if __name__ == '__main__':
    main()
