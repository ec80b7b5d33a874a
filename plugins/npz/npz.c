/* npz: samples as NumPy's .npz files, one member for each field of the packet, so that numpy.load() reads them:
 *
 *   images u8|f16|f32 [n, c, h, w], labels i32 [n], mean and std f32 [c], classes i64 [1],
 *   of whitened images whitening_mean f32 [c, h, w] and unwhitening f32 [c, h, w, c, h, w],
 *   and for augmented samples windows f32 [v, 4], dense_labels f32|f16|u8 [n, v, kept], of top-k labels dense_classes
 *   u8|i32 [n, v, kept], temperature f64 [1] of the labeler, and labelled_images u8 [64], the digest of the images that
 *   the dense labels are of; where the windows form a grid, grid i64 [1] and ratio f64 [2], N and the parts of height
 *   and width that a window covers, and provenance u8 [letters], the pipeline that made the set
 *
 * npz-sink writes what it is sent, samples or augmented; npz-source and npz-augmented-source read a file back as one or
 * the other, since what an output carries is fixed before anything runs. Trajectories have stages of their own.
 */
#include "npz.h"

LB_DEFINE_PLUGIN ("npz", "1.0", "LGPL-2.1-or-later", &npz_sink_type, &npz_source_type, &npz_augmented_source_type,
                  &npz_trajectory_sink_type, &npz_trajectory_source_type);
