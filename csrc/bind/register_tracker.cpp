#include <pybind11/stl.h>

#include <optional>
#include <utility>

#include "bind/arrays.h"
#include "bind/images.h"
#include "bind/register.h"
#include "bind/scored_boxes.h"
#include "ops/checks.h"
#include "ops/tracker.h"

namespace py = pybind11;

namespace edgeseg::bind {
namespace {

template <typename T, typename Field>
py::array_t<T> column(const std::vector<TrackedObject>& objects, Field field) {
    py::array_t<T> out(static_cast<py::ssize_t>(objects.size()));
    T* values = out.mutable_data();
    for (const TrackedObject& object : objects) *values++ = static_cast<T>(field(object));
    return out;
}

py::array_t<float> boxes_of(const std::vector<TrackedObject>& objects) {
    py::array_t<float> out(std::vector<py::ssize_t>{static_cast<py::ssize_t>(objects.size()), 4});
    float* edges = out.mutable_data();
    for (const TrackedObject& object : objects) {
        *edges++ = object.box.left;
        *edges++ = object.box.top;
        *edges++ = object.box.right;
        *edges++ = object.box.bottom;
    }
    return out;
}

py::tuple as_arrays(const std::vector<TrackedObject>& objects) {
    using Object = const TrackedObject&;
    return py::make_tuple(boxes_of(objects),
                          column<float>(objects, [](Object o) { return o.score; }),
                          column<std::int32_t>(objects, [](Object o) { return o.class_id; }),
                          column<std::int32_t>(objects, [](Object o) { return o.id; }),
                          column<std::int32_t>(objects, [](Object o) { return o.age; }),
                          column<bool>(objects, [](Object o) { return o.carried; }),
                          column<std::int64_t>(objects, [](Object o) { return o.source; }));
}

// A moment, and the view its image lies in.
struct Seen {
    core::ImageView image;
    Moment moment;

    Seen(double time_s, const std::pair<int, int>& size, const std::optional<py::array>& array) {
        moment.time_s = time_s;
        moment.width = size.first;
        moment.height = size.second;
        if (!array) return;
        image = image_view(*array);
        moment.image = &image;
    }
};

py::tuple bound_update(Tracker& tracker, const py::array& boxes, const py::array& scores,
                       const py::array& class_ids, double time_s, const std::pair<int, int>& size,
                       const std::optional<py::array>& image,
                       const std::optional<py::array>& mask_ids,
                       const std::optional<py::array>& mask_overlaps) {
    const ScoredBoxes found = scored_boxes(boxes, scores, class_ids);
    const Seen seen(time_s, size, image);
    MaskOverlaps masks;
    if (mask_ids.has_value() != mask_overlaps.has_value()) {
        refuse("mask_ids and mask_overlaps go together");
    }
    if (mask_ids) {
        check<std::int32_t>(*mask_ids, "mask_ids", {"int32", {-1}});
        check<float>(*mask_overlaps, "mask_overlaps",
                     {"float32", {mask_ids->shape(0), boxes.shape(0)}});
        check_contiguous(*mask_ids, "mask_ids");
        check_contiguous(*mask_overlaps, "mask_overlaps");
        masks = {static_cast<const std::int32_t*>(mask_ids->data()), mask_ids->shape(0),
                 static_cast<const float*>(mask_overlaps->data())};
    }
    std::vector<TrackedObject> objects;
    {
        const py::gil_scoped_release release;
        objects = tracker.update(found, seen.moment, masks);
    }
    return as_arrays(objects);
}

py::tuple bound_carry(Tracker& tracker, double time_s, const std::pair<int, int>& size,
                      const std::optional<py::array>& image) {
    const Seen seen(time_s, size, image);
    std::vector<TrackedObject> objects;
    {
        const py::gil_scoped_release release;
        objects = tracker.carry(seen.moment);
    }
    return as_arrays(objects);
}

py::tuple bound_predicted(const Tracker& tracker, double time_s) {
    const std::vector<TrackedObject> objects = tracker.predicted(time_s);
    return py::make_tuple(
        column<std::int32_t>(objects, [](const TrackedObject& o) { return o.id; }),
        boxes_of(objects));
}

}  // namespace

void register_tracker(py::module_& module) {
    module.def("tracking_floor", &tracking_floor, "The lowest score a tracker can use.",
               py::arg("conf"));
    py::class_<Tracker>(module, "Tracker", "Gives objects identities, frame after frame.")
        .def(py::init([](float conf, double lost_s, double period_s) {
                 return std::make_unique<Tracker>(TrackerOptions{conf, lost_s, period_s});
             }),
             py::kw_only(), py::arg("conf") = 0.25f, py::arg("lost_s") = 2.0,
             py::arg("period_s") = 0.04)
        .def("retune", &Tracker::retune, "Have another conf from the next frame on.",
             py::arg("conf"))
        .def("update", &bound_update, "Take the detections of a frame.",
             py::arg("boxes").noconvert(), py::arg("scores").noconvert(),
             py::arg("class_ids").noconvert(), py::arg("time_s"), py::arg("size_px"), py::kw_only(),
             py::arg("image").noconvert() = py::none(),
             py::arg("mask_ids").noconvert() = py::none(),
             py::arg("mask_overlaps").noconvert() = py::none())
        .def("carry", &bound_carry, "Take a frame that no network has seen.", py::arg("time_s"),
             py::arg("size_px"), py::kw_only(), py::arg("image").noconvert() = py::none())
        .def("predicted", &bound_predicted, "Tell where every identity will be at a time.",
             py::arg("time_s"));
}

}  // namespace edgeseg::bind
