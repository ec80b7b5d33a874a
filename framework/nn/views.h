/* Views: the static sub-sampling of label augmentation (LADD, arXiv 2409.16239, section 3): each image is cut into N x
 * N windows that cover R of each axis at a uniform stride of (1 - R) / (N - 1), and each is resized to the image's
 * size.
 */
#pragma once

#include "tensor/tensor.h"

G_BEGIN_DECLS

/* Windows for an image of @height x @width: f32 [grid * grid, 4], rows (x, y, width, height) in pixels from the upper
 * left corner, row by row. Edges may fall between pixels. @grid >= 1 (1: one centred window), 0 < @ratio <= 1. New
 * tensor. */
LbTensor *lb_view_windows (gint64 height, gint64 width, guint grid, double ratio);

/* The same for windows of @window_height x @window_width pixels, which are no larger than the image. */
LbTensor *lb_view_windows_of (gint64 height, gint64 width, guint grid, double window_height, double window_width);

/* Row for lb_bilinear() with LB_BORDER_CLAMP that cuts @window (x, y, width, height) and resizes it to @height x @width
 * (pixel areas aligned, as in torch.nn.functional.interpolate (align_corners=False)). */
void lb_window_sampling (const float window[4], gint64 height, gint64 width, float row[10]);

/* Whether all @windows, f32 [v, 4], have at least one pixel and lie inside images of @height x @width. If not, FALSE
 * with LB_ERROR_INPUT; @whose begins the message. */
gboolean lb_windows_check (const char *whose, LbTensor *windows, gint64 height, gint64 width, GError **error);

G_END_DECLS
