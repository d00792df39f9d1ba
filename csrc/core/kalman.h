#pragma once

#include "core/hd.h"

namespace edgeseg::core {

// A coordinate that moves, as a Kalman filter knows it: position, speed, and the covariance of
// their errors. Units are the caller's, for example px and px/s.
struct Axis {
    double at, speed;
    double var_at, cov, var_speed;
};

// Where the coordinate is `dt` later. The speed is kept but for white noise in the acceleration,
// of density `unrest` (px^2/s^3): Bar-Shalom, Li, Kirubarajan, "Estimation with Applications to
// Tracking and Navigation" (2001), 6.2.2. It holds for any dt, so gaps need no rule of their own.
EDGESEG_HD inline Axis predicted(const Axis& axis, double dt, double unrest) {
    Axis next = axis;
    next.at = axis.at + axis.speed * dt;
    next.var_at =
        axis.var_at + dt * (2.0 * axis.cov + dt * axis.var_speed) + unrest * dt * dt * dt / 3.0;
    next.cov = axis.cov + dt * axis.var_speed + unrest * dt * dt / 2.0;
    next.var_speed = axis.var_speed + unrest * dt;
    return next;
}

// What is known after the position was seen to be `seen`, with an error of variance `noise`.
EDGESEG_HD inline Axis corrected(const Axis& axis, double seen, double noise) {
    const double total = axis.var_at + noise;
    const double gain_at = axis.var_at / total;
    const double gain_speed = axis.cov / total;
    const double off = seen - axis.at;
    Axis next;
    next.at = axis.at + gain_at * off;
    next.speed = axis.speed + gain_speed * off;
    next.var_at = axis.var_at * noise / total;
    next.cov = axis.cov * noise / total;
    next.var_speed = axis.var_speed - gain_speed * axis.cov;
    return next;
}

// What is known after the speed was seen to be `seen`, with an error of variance `noise`.
EDGESEG_HD inline Axis speed_corrected(const Axis& axis, double seen, double noise) {
    const double total = axis.var_speed + noise;
    const double gain_at = axis.cov / total;
    const double gain_speed = axis.var_speed / total;
    const double off = seen - axis.speed;
    Axis next;
    next.at = axis.at + gain_at * off;
    next.speed = axis.speed + gain_speed * off;
    next.var_at = axis.var_at - gain_at * axis.cov;
    next.cov = axis.cov * noise / total;
    next.var_speed = axis.var_speed * noise / total;
    return next;
}

}  // namespace edgeseg::core
