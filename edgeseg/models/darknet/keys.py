"""The keys that Darknet's sections know, in both lineages (pjreddie and AlexeyAB).

Darknet itself passes over a key it does not know, so a misspelt one changes
the network without a word; the linter uses this table to speak up.
"""

from __future__ import annotations

_ANY_LAYER = """
    burnin_update clip dontload dontloadscales dontsave learning_rate numload onlyforward smooth
    stopbackward train_only_bn truth
"""
_NET = """
    adam adversarial_lr angle aspect attention augment_speed B1 B2 badlabels_reject_threshold
    badlabels_rejection_percentage batch blur burn_in center channels clip contrastive
    contrastive_color contrastive_jit_flip cutmix decay dynamic_minibatch ema_alpha eps
    equidistant_point exposure flip gamma gaussian_noise height hue init_sequential_subdivisions
    inputs label_smooth_eps learning_rate learning_rate_min letter_box loss_scale max_batches
    max_chart_loss max_crop max_ratio min_crop min_ratio mixup momentum mosaic mosaic_bound notruth
    num_sigmas_reject_badlabels optimized_memory policy power random resize_step saturation scale
    scales seq_scales sequential_subdivisions sgdr_cycle sgdr_mult show_receptive_field step steps
    subdivisions time_steps track try_fix_nan unsupervised weights_reject_freq width
    workspace_size_limit_MB
"""
_CONVOLUTIONAL = """
    activation antialiasing assisted_excitation batch_normalize bin_output binary cbn coordconv
    deform dilation dot filters flipped grad_centr group_id groups pad padding reverse rotate
    share_index size stretch stretch_sway stride stride_x stride_y sway temperature xnor
"""
_POOL = "antialiasing maxpool_depth maxpool_zero_nonmax out_channels pad padding size stride stride_x stride_y"  # noqa: E501
_YOLO = """
    anchors background beta_nms classes cls_normalizer contrastive_neg_max counters_per_class
    delta_normalizer dets_for_show dets_for_track embedding_layer focal_loss ignore_thresh
    iou_loss iou_normalizer iou_thresh iou_thresh_kind jitter label_smooth_eps map mask max
    max_delta new_coords nms_kind num obj_normalizer objectness_smooth random resize scale_x_y
    show_details sim_thresh total track_ciou_norm track_history_size truth_thresh uc_normalizer
    yolo_point
"""
_REGION = """
    absolute anchors background bias_match class_scale classes coord_scale coords focal_loss jitter
    log map mask_scale max noobject_scale num object_scale random rescore softmax sqrt thresh tree
"""

KNOWN_KEYS: dict[str, frozenset[str]] = {
    "net": frozenset(_NET.split()),
    **{
        kind: frozenset(f"{keys} {_ANY_LAYER}".split())
        for kind, keys in {
            "convolutional": _CONVOLUTIONAL,
            "maxpool": _POOL,
            "local_avgpool": _POOL,
            "avgpool": "",
            "upsample": "stride scale",
            "reorg": "stride reverse flatten extra",
            "route": "layers groups group_id",
            "shortcut": "from activation alpha assisted_excitation beta weights_normalization "
            "weights_type",
            "scale_channels": "from activation scale_wh",
            "sam": "from activation",
            "dropout": "dropblock dropblock_size_abs dropblock_size_rel probability",
            "activation": "activation",
            "empty": "",
            "yolo": _YOLO,
            "region": _REGION,
        }.items()
    },
}
"""By kind of section; a kind that is missing here is not imported at all."""
