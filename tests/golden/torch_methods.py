"""Golden values of the distillers: distance and gradient of the synthetic images, computed by PyTorch (make-golden.py).

One match of class 3: 8 real images, and 2 synthetic ones or 4 small ones of a formation, through ConvNet-D3 with sigmoid in
place of ReLU, whose kinks would turn rounding into differences.
"""
import torch
import torch.nn.functional as F


def ours(real, synthetic):
    """Sum over layers and rows of 1 - cosine; arXiv 2006.05929."""
    total = 0
    for r, s in zip(real, synthetic):
        if r.dim() in (2, 4):
            r, s = r.flatten(1), s.flatten(1)
            total = total + (1 - (r * s).sum(1) / (r.norm(dim=1) * s.norm(dim=1) + 1e-6)).sum()
    return total


def flat(gradients):
    return torch.cat([g.reshape(-1) for g in gradients])


def mse(real, synthetic):
    return (flat(real) - flat(synthetic)).square().sum()


def cos(real, synthetic):
    r, s = flat(real), flat(synthetic)
    return 1 - (r * s).sum() / (r.norm() * s.norm() + 1e-6)


def l1(real, synthetic):
    return sum((r - s).abs().sum() for r, s in zip(real, synthetic) if r.dim() == 4)


def batch_norm_convnet(p, statistics, x, training):
    """ConvNet-D3 with sigmoid and batch norm, whose running mean and variance @statistics has for each block."""
    for block in range(3):
        weight, bias, scale, offset = p[4 * block:4 * block + 4]
        x = F.conv2d(x, weight, bias, padding=3 if block == 0 else 1)
        x = F.batch_norm(x, *statistics[block], scale, offset, training=training, momentum=0.1, eps=1e-5)
        x = F.avg_pool2d(torch.sigmoid(x), 2)
    return F.linear(x.reshape(len(x), -1), p[12], p[13])


def batch_norm_values(base):
    """A network with batch norm sees 20 real images as in training, which moves its running statistics; with those, the
    match 'ours' of 8 real and 2 synthetic images."""
    p = base.parameters()
    statistics = [(torch.zeros(base.WIDTH), torch.ones(base.WIDTH)) for _ in range(3)]
    batch_norm_convnet(p, statistics, base.images(base.PICTURE, 20), True)
    x = base.images(base.SYNTHETIC, 2).requires_grad_(True)
    sides = [torch.autograd.grad(F.cross_entropy(batch_norm_convnet(p, statistics, y, False), torch.full((len(y),), 3)),
                                 p, create_graph=True) for y in (base.images(base.REAL, 8), x)]
    loss = ours([g.detach() for g in sides[0]], sides[1])
    gradient, = torch.autograd.grad(loss, x)
    return {'batch_norm_statistics': torch.stack([t for pair in statistics for t in pair]),
            'batch_norm_distance': loss, 'batch_norm_gradient': base.channels_last(gradient)}


def trajectory_values(base):
    """Trajectory matching (arXiv 2203.11932) by unrolling: two steps of SGD on 10 synthetic images, one of each class, from
    the network's parameters; the squared distance to three quarters of these, and its gradients."""
    p = base.parameters()
    x = base.images(base.SYNTHETIC, 10).requires_grad_(True)
    rate = torch.tensor(0.125, requires_grad=True)
    student = p
    for _ in range(2):
        loss = F.cross_entropy(base.convnet(student, x, torch.sigmoid), torch.arange(10))
        gradients = torch.autograd.grad(loss, student, create_graph=True)
        student = [t - rate * g for t, g in zip(student, gradients)]
    distance = sum((t - 0.75 * s.detach()).square().sum() for t, s in zip(student, p))
    by_images, by_rate = torch.autograd.grad(distance, [x, rate])
    return {'mtt_loss': distance, 'mtt_by_rate': by_rate, 'mtt_by_images': base.channels_last(by_images)}


def values(base):
    """@base: the module that makes numbers and networks."""
    p = base.parameters()
    real = base.images(base.REAL, 8)
    keep = lambda x: x  # noqa: E731
    enlarge = lambda x: F.interpolate(x, size=(28, 28), mode='bilinear', align_corners=False)  # noqa: E731
    scale = lambda x: base.affine(x, [[1.125, 0, 0], [0, 0.875, 0]])  # noqa: E731
    whole, small = (2, 28, 28, 1), (4, 14, 14, 1)
    cases = {'ours': (ours, whole, keep, keep), 'mse': (mse, whole, keep, keep), 'cos': (cos, whole, keep, keep),
             'l1': (l1, whole, keep, keep), 'formation': (ours, small, enlarge, keep), 'dsa': (ours, whole, keep, scale)}
    result = {}
    for name, (distance, shape, form, augment) in cases.items():
        x = base.channels_first(base.numbers(base.SYNTHETIC, shape, 0, 2)).requires_grad_(True)
        sides = [torch.autograd.grad(F.cross_entropy(base.convnet(p, y, torch.sigmoid), torch.full((len(y),), 3)), p,
                                     create_graph=True, allow_unused=True) for y in (augment(real), augment(form(x)))]
        loss = distance([g.detach() for g in sides[0]], sides[1])
        gradient, = torch.autograd.grad(loss, x)
        result.update({name + '_distance': loss, name + '_gradient': base.channels_last(gradient)})

    x = base.images(base.SYNTHETIC, 2).requires_grad_(True)
    features = [base.features(p, scale(y), torch.sigmoid).mean(0) for y in (real, x)]
    loss = (features[0].detach() - features[1]).square().sum()
    gradient, = torch.autograd.grad(loss, x)
    result.update({'dm_distance': loss, 'dm_gradient': base.channels_last(gradient)})
    result.update(batch_norm_values(base))
    result.update(trajectory_values(base))
    return result
