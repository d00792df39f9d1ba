#include "cpu/decode.h"

#include "core/yolo.h"
#include "cpu/best_candidates.h"

namespace edgeseg::cpu {
namespace {

// Gives `visit` each position of a row whose value is above `floor`. Most blocks hold
// none: the compiler turns the test of a block into a few vector instructions.
template <typename Visit>
void visit_above(const float* values, int count, float floor, const Visit& visit) {
    constexpr int kBlock = 16;
    int i = 0;
    for (; i + kBlock <= count; i += kBlock) {
        int hits = 0;
        for (int k = 0; k < kBlock; ++k) hits |= values[i + k] > floor ? 1 : 0;
        if (!hits) continue;
        for (int k = i; k < i + kBlock; ++k) {
            if (values[k] > floor) visit(k);
        }
    }
    for (; i < count; ++i) {
        if (values[i] > floor) visit(i);
    }
}

// The class numbers of one cell, one plane apart.
struct Cell {
    const float* first;
    std::ptrdiff_t plane_stride;
    int classes;

    float operator[](int i) const { return first[i * plane_stride]; }

    // The first of the highest; -1 when none is a number.
    int best() const {
        int best = -1;
        for (int i = 0; i < classes; ++i) {
            const float value = (*this)[i];
            if (best<0 ? !core::is_nan(value) : value>(*this)[best]) best = i;
        }
        return best;
    }

    float sum_of_exponentials(float highest) const {
        float sum = 0.0f;
        for (int i = 0; i < classes; ++i) sum += core::exponential((*this)[i] - highest);
        return sum;
    }
};

class HeadDecoder {
 public:
    HeadDecoder(const core::HeadView& head, const YoloHead& spec, const DecodeOptions& options,
                BestCandidates& found)
        : head_(head), spec_(spec), options_(options), found_(found) {
        form_.stride_x = static_cast<float>(options.net_width) / static_cast<float>(head.columns);
        form_.stride_y = static_cast<float>(options.net_height) / static_cast<float>(head.rows);
        form_.scale_x_y = spec.scale_x_y;
        form_.activated = spec.new_coords;
        softmax_ = spec.kind == HeadKind::kRegion && spec.softmax;
        objectness_floor_ = core::raw_floor(options.conf, form_.activated);
    }

    void run() {
        const bool adjacent = head_.row_stride == head_.columns;
        const int rows = adjacent ? 1 : head_.rows;
        const int columns = adjacent ? head_.rows * head_.columns : head_.columns;
        for (std::size_t anchor = 0; anchor < spec_.anchors_net.size(); ++anchor) {
            const int channel = static_cast<int>(anchor) * (5 + spec_.classes);
            const float* objectness = head_.plane(channel + 4);
            for (int row = 0; row < rows; ++row) {
                visit_above(objectness + row * head_.row_stride, columns, objectness_floor_,
                            [&](int i) {
                                const int column = i % head_.columns;
                                visit_cell(channel, row + i / head_.columns, column);
                            });
            }
        }
    }

 private:
    void visit_cell(int channel, int row, int column) {
        const float* cell = head_.plane(channel) + row * head_.row_stride + column;
        const float objectness = core::probability(cell[4 * head_.plane_stride], form_.activated);
        if (!(objectness > options_.conf)) return;
        const core::Anchor& anchor = spec_.anchors_net[channel / (5 + spec_.classes)];
        const std::ptrdiff_t plane = head_.plane_stride;
        const core::Box box = core::decode_box(cell[0], cell[plane], cell[2 * plane],
                                               cell[3 * plane], column, row, anchor, form_);
        if (!core::is_finite(box)) return;
        const Cell classes = {cell + 5 * plane, plane, spec_.classes};
        softmax_ ? add_competing(box, objectness, classes)
                 : add_independent(box, objectness, classes);
    }

    void add_independent(const core::Box& box, float objectness, const Cell& classes) {
        if (!options_.multi_label) {
            const int best = classes.best();
            if (best >= 0) add_raw(box, objectness, classes[best], best);
            return;
        }
        const float floor = core::raw_floor(options_.conf / objectness, form_.activated);
        // For new_coords the quotient rounds, the exact test is in add().
        const float loose = form_.activated ? floor - 1e-6f * floor : floor;
        for (int i = 0; i < classes.classes; ++i) {
            if (classes[i] > loose) add_raw(box, objectness, classes[i], i);
        }
    }

    void add_competing(const core::Box& box, float objectness, const Cell& classes) {
        const int best = classes.best();
        if (best < 0) return;
        const float highest = classes[best];
        const float sum = classes.sum_of_exponentials(highest);
        const int first = options_.multi_label ? 0 : best;
        const int last = options_.multi_label ? classes.classes - 1 : best;
        for (int i = first; i <= last; ++i) {
            add(box, objectness * (core::exponential(classes[i] - highest) / sum), i);
        }
    }

    void add_raw(const core::Box& box, float objectness, float raw, int class_id) {
        add(box, objectness * core::probability(raw, form_.activated), class_id);
    }

    void add(const core::Box& box, float score, int class_id) {
        if (score > options_.conf && core::is_finite(score)) found_.add(box, score, class_id);
    }

    const core::HeadView& head_;
    const YoloHead& spec_;
    const DecodeOptions& options_;
    BestCandidates& found_;
    core::BoxForm form_;
    bool softmax_;
    float objectness_floor_;
};

}  // namespace

Candidates decode(const std::vector<core::HeadView>& heads, const std::vector<YoloHead>& specs,
                  const DecodeOptions& options) {
    BestCandidates found(options.max_candidates);
    for (std::size_t i = 0; i < heads.size(); ++i) {
        HeadDecoder(heads[i], specs[i], options, found).run();
    }
    return found.take();
}

}  // namespace edgeseg::cpu
