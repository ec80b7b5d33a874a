"""The architectures of framework/nn written with PyTorch, and what make-golden.py stores of them in networks.npz.

A network takes its tensors one after the other, each by its role, in the order in which framework/nn asks for them.
Tensor k is made of the number stream 200 + k (see make-golden.py):

    role                    offset, scale
    weight                  0, the largest power of two whose square times the inputs of one output is at most 12
    bias, offset, mean      0, 1/8
    scale, variance         1, 1/4
    position, class         0, 1

Running means and variances (statistics) are counted apart, from stream 900 on. Images are made of the stream IMAGES,
scale 2. With g_k the gradients of the mean cross-entropy by tensor k, and r_k made of the stream 400 + k (of the scale
that a weight of that shape would have), the second derivative is that of sum_k <g_k, r_k> by the images.

A large tensor is stored as its L2 norm, its product with the stream 800, and its first elements (in the C order).
"""
import torch
import torch.nn.functional as F

CLASSES, LABELS = 3, [1, 0]
TENSORS, DIRECTIONS, PROJECTION, STATISTICS = 200, 400, 800, 900
KEPT = 8
CASES = [('alexnet', 1, 28), ('alexnet', 3, 32), ('vgg11', 1, 28), ('vgg11', 3, 32), ('resnet18', 1, 28),
         ('resnet18', 3, 32), ('vit', 1, 28), ('vit', 3, 32), ('vit:patch=2:depth=2:norm=none', 3, 8),
         ('convnet-d2:width=8:norm=group:activation=leaky-relu:pooling=max', 3, 8),
         ('convnet-d2:width=8:norm=batch:activation=sigmoid', 1, 8),
         ('convnet-d1:width=8:norm=none:activation=sigmoid:pooling=none', 3, 8),
         # Larger images.
         ('convnet-d4:width=16', 3, 64), ('convnet-d5:width=16', 3, 128), ('convnet-d5:width=16', 1, 128),
         ('alexnet', 3, 64), ('alexnet', 1, 128), ('vgg11', 3, 64), ('vgg11', 1, 128),
         ('resnet18', 3, 64), ('resnet18', 1, 128), ('vit', 3, 64), ('vit:depth=2', 1, 128)]

GRAD_CAM_CASES = [('convnet-d3', 1, 28), ('convnet-d2:width=8:norm=group:activation=leaky-relu:pooling=max', 3, 8),
                  ('alexnet', 1, 28), ('vgg11', 3, 32), ('resnet18', 3, 32), ('vit', 1, 28)]


def weight_scale(shape):
    fan_in, scale = 1, 1.0
    for side in shape[1:]:
        fan_in *= side
    while scale * scale * fan_in > 12:
        scale /= 2
    return scale


class Tensors:
    """Hands out tensors in order. All are leaves in the C order: convolution weights [out, kh, kw, in]."""

    def __init__(self, numbers):
        self.numbers, self.trained, self.statistics, self.updated = numbers, [], [], []
        self.maps = None  # what Grad-CAM weighs, [n, c, h, w] or tokens [n, 1 + h * w, c]

    def take(self, role, *shape):
        offset, scale = {'weight': (0, weight_scale(shape)), 'scale': (1, 1 / 4), 'position': (0, 1),
                         'class': (0, 1)}.get(role, (0, 1 / 8))
        tensor = self.numbers(TENSORS + len(self.trained), shape, offset, scale).requires_grad_(True)
        self.trained.append(tensor)
        return tensor

    def statistic(self, role, size):
        offset, scale = (1, 1 / 4) if role == 'variance' else (0, 1 / 8)
        self.statistics.append(self.numbers(STATISTICS + len(self.statistics), (size,), offset, scale))
        return self.statistics[-1].clone()

    def conv(self, x, out, size, stride=1, pad=0, bias=True):
        weight = self.take('weight', out, size, size, x.shape[1])
        return F.conv2d(x, weight.permute(0, 3, 1, 2), self.take('bias', out) if bias else None, stride, pad)

    def dense(self, x, out, bias=True):
        weight = self.take('weight', out, x.shape[-1])
        return F.linear(x, weight, self.take('bias', out) if bias else None)

    def linear(self, x):
        """The last layer, on features in the order h, w, c."""
        x = x.permute(0, 2, 3, 1) if x.dim() == 4 else x
        return self.dense(x.reshape(x.shape[0], -1), CLASSES)

    def norm(self, x, kind, training=True):
        channels = x.shape[1]
        if kind == 'none':
            return x
        if kind == 'batch':
            mean, variance = self.statistic('mean', channels), self.statistic('variance', channels)
        scale, offset = self.take('scale', channels), self.take('offset', channels)
        if kind == 'batch':
            x = F.batch_norm(x, mean, variance, scale, offset, training=training, momentum=0.1, eps=1e-5)
            self.updated += [mean, variance]
            return x
        return F.group_norm(x, channels if kind == 'instance' else 4, scale, offset, eps=1e-5)

    def layer_norm(self, x, kind='layer'):
        if kind == 'none':
            return x
        size = x.shape[-1]
        return F.layer_norm(x, (size,), self.take('scale', size), self.take('offset', size), eps=1e-5)


def convnet(t, x, depth, training=True, width=128, norm='instance', activation='relu', pooling='avg'):
    activate = {'relu': F.relu, 'sigmoid': torch.sigmoid, 'leaky-relu': F.leaky_relu}[activation]
    pool = {'avg': F.avg_pool2d, 'max': F.max_pool2d, 'none': lambda y, _: y}[pooling]
    for block in range(depth):
        x = t.conv(x, int(width), 3, pad=3 if block == 0 and x.shape[2] == 28 else 1)
        t.maps = activate(t.norm(x, norm, training))
        x = pool(t.maps, 2)
    return t.linear(x)


def alexnet(t, x):
    for out, size, pad, pool in ((128, 5, 4 if x.shape[1] == 1 else 2, True), (192, 5, 2, True), (256, 3, 1, False),
                                 (192, 3, 1, False), (192, 3, 1, True)):
        x = t.maps = F.relu(t.conv(x, out, size, pad=pad))
        x = F.max_pool2d(x, 2) if pool else x
    return t.linear(x)


def vgg11(t, x):
    pad = 3 if x.shape[1] == 1 else 1
    for out, pool in (64, 1), (128, 1), (256, 0), (256, 1), (512, 0), (512, 1), (512, 0), (512, 1):
        x = t.maps = F.relu(t.norm(t.conv(x, out, 3, pad=pad), 'instance'))
        x = F.max_pool2d(x, 2) if pool else x
        pad = 1
    return t.linear(x)


def resnet18(t, x):
    x = F.relu(t.norm(t.conv(x, 64, 3, pad=1, bias=False), 'instance'))
    for stage, out in enumerate((64, 128, 256, 512)):
        for i in range(2):
            stride = 2 if stage > 0 and i == 0 else 1
            y = F.relu(t.norm(t.conv(x, out, 3, stride, 1, bias=False), 'instance'))
            y = t.norm(t.conv(y, out, 3, 1, 1, bias=False), 'instance')
            if stride == 2:
                x = t.norm(t.conv(x, out, 1, stride, bias=False), 'instance')
            x = t.maps = F.relu(y + x)
    return t.linear(F.avg_pool2d(x, x.shape[2]))  # 4 at 28 and 32 pixels, as published; larger ones as in GLaD


def vit(t, x, patch=0, depth=6, norm='layer'):
    n, heads, width = x.shape[0], 8, 64
    patch = int(patch) or max(4, x.shape[2] // 8)
    x = t.conv(x, 512, patch, patch).flatten(2).transpose(1, 2)
    position, token = t.take('position', 1, x.shape[1] + 1, 512), t.take('class', 1, 1, 512)
    x = torch.cat((token.expand(n, 1, 512), x), 1) + position
    for _ in range(int(depth)):
        t.maps = t.layer_norm(x, norm)
        y = t.dense(t.maps, 3 * heads * width, bias=False)
        q, k, v = (part.reshape(n, -1, heads, width).transpose(1, 2) for part in y.chunk(3, dim=-1))
        y = torch.softmax(q @ k.transpose(-1, -2) * width ** -0.5, dim=-1) @ v
        x = t.dense(y.transpose(1, 2).reshape(n, -1, heads * width), 512) + x
        x = t.dense(F.gelu(t.dense(t.layer_norm(x, norm), 512)), 512) + x
    return t.linear(t.layer_norm(x[:, 0], norm))


def apply(name, tensors, images, training):
    """Scores of images in the C order."""
    family, *options = name.split(':')
    options = dict(option.split('=') for option in options)
    x = images.permute(0, 3, 1, 2)
    if family.startswith('convnet-d'):
        return convnet(tensors, x, int(family[-1]), training, **options)
    return {'alexnet': alexnet, 'vgg11': vgg11, 'resnet18': resnet18, 'vit': vit}[family](tensors, x, **options)


def summary(numbers, gradient):
    g = gradient.detach().reshape(-1)
    first = torch.zeros(KEPT, dtype=torch.float64)
    first[:min(KEPT, g.numel())] = g[:KEPT]
    return torch.cat([torch.stack([g.norm(), (g * numbers(PROJECTION, g.shape)).sum()]), first])


def case_values(numbers, image_stream, name, channels, size):
    tensors = Tensors(numbers)
    x = numbers(image_stream, (len(LABELS), size, size, channels), 0, 2).requires_grad_(True)
    scores = apply(name, tensors, x, True)
    loss = F.cross_entropy(scores, torch.tensor(LABELS))
    p = tensors.trained
    *gradients, image_gradient = torch.autograd.grad(loss, p + [x], create_graph=True)
    directions = [numbers(DIRECTIONS + k, g.shape, 0, weight_scale(g.shape)) for k, g in enumerate(gradients)]
    product = sum((g * r).sum() for g, r in zip(gradients, directions))
    second, = torch.autograd.grad(product, x)
    values = {'scores': scores, 'loss': loss, 'parameters': torch.tensor(float(sum(t.numel() for t in p))),
              'gradients': torch.stack([summary(numbers, g) for g in gradients]),
              'images': summary(numbers, image_gradient), 'product': product, 'second': summary(numbers, second)}
    if tensors.updated:
        values['statistics'] = torch.cat(tensors.updated)
        values['asked'] = apply(name, Tensors(numbers), x, False)
    return values


def grad_cam_values(numbers, image_stream):
    """Grad-CAM of LABELS: heat maps over the places of the last feature maps."""
    result = {}
    for name, channels, size in GRAD_CAM_CASES:
        tensors = Tensors(numbers)
        scores = apply(name, tensors, numbers(image_stream, (len(LABELS), size, size, channels), 0, 2), False)
        chosen = sum(scores[i, label] for i, label in enumerate(LABELS))
        maps, (slopes,) = tensors.maps, torch.autograd.grad(chosen, tensors.maps)
        if maps.dim() == 3:
            side = int((maps.shape[1] - 1) ** 0.5)
            maps, slopes = (x[:, 1:].transpose(1, 2).reshape(len(x), -1, side, side) for x in (maps, slopes))
        key = name.replace(':', '_').replace('=', '_') + f'_{channels}_{size}'
        result[f'{key}__heat'] = F.relu((slopes.mean((2, 3), keepdim=True) * maps).sum(1))
        result[f'{key}__probabilities'] = torch.softmax(scores, 1)
    return result


def values(numbers, image_stream):
    result = {}
    for name, channels, size in CASES:
        key = name.replace(':', '_').replace('=', '_') + f'_{channels}_{size}'
        result.update({f'{key}__{k}': v for k, v in case_values(numbers, image_stream, name, channels, size).items()})
    return result
