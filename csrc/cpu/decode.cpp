#include "cpu/decode.h"

#include <algorithm>
#include <vector>

#include "core/yolo.h"
#include "cpu/best_candidates.h"
#include "cpu/class_scan.h"
#include "cpu/lanes.h"

namespace edgeseg::cpu {
namespace {

// Whether one of kLanes adjacent values is above `floor`.
bool any_above(const float* values, float floor) {
    Ints above = {};
    for (int lane = 0; lane < kLanes; lane += 4) above |= load(values + lane) > floor;
    return any(above);
}

// Adjacent cells of one anchor, where the numbers of a cell are one plane apart.
struct CellRun {
    const float* first;
    std::ptrdiff_t plane_stride;
    int count;
};

class HeadDecoder {
 public:
    HeadDecoder(const core::HeadView& head, const YoloHead& spec, const DecodeOptions& options,
                BestCandidates& found)
        : head_(head), spec_(spec), options_(options), found_(found), hits_(spec.classes) {
        form_.stride_x = static_cast<float>(options.net_width) / static_cast<float>(head.columns);
        form_.stride_y = static_cast<float>(options.net_height) / static_cast<float>(head.rows);
        form_.scale_x_y = spec.scale_x_y;
        form_.activated = spec.new_coords;
        softmax_ = spec.kind == HeadKind::kRegion && spec.softmax;
    }

    void run() {
        const bool adjacent = head_.row_stride == head_.columns;
        const int rows = adjacent ? 1 : head_.rows;
        const int columns = adjacent ? head_.rows * head_.columns : head_.columns;
        for (std::size_t anchor = 0; anchor < spec_.anchors_net.size(); ++anchor) {
            anchor_ = spec_.anchors_net[anchor];
            objectness_floor_ = core::raw_floor(least_objectness(), form_.activated);
            const int channel = static_cast<int>(anchor) * (5 + spec_.classes);
            for (int row = 0; row < rows; ++row) {
                const float* first = head_.plane(channel) + row * head_.row_stride;
                visit_run({first, head_.plane_stride, columns}, row);
            }
        }
    }

 private:
    void visit_run(const CellRun& cells, int row) {
        const CellRun run = cells.count < kLanes ? padded(cells) : cells;
        for (int i = 0; i < cells.count; i += kLanes) {
            // The last block reaches back over cells that were visited.
            const int first = std::min(i, run.count - kLanes);
            visit_block(run, first, i - first, row);
        }
    }

    // A copy of cells that do not fill a block; those added have no objectness.
    CellRun padded(const CellRun& cells) {
        const std::size_t planes = 5 + static_cast<std::size_t>(spec_.classes);
        padded_.assign(planes * kLanes, -HUGE_VALF);
        for (std::size_t i = 0; i < planes; ++i) {
            std::copy_n(cells.first + static_cast<std::ptrdiff_t>(i) * cells.plane_stride,
                        cells.count, padded_.data() + i * kLanes);
        }
        return {padded_.data(), kLanes, kLanes};
    }

    void visit_block(const CellRun& run, int first, int visited, int row) {
        const float* block = run.first + first;
        const std::ptrdiff_t plane = run.plane_stride;
        if (!any_above(block + 4 * plane, objectness_floor_)) return;
        Cells cells;
        find_cells(block + 4 * plane, visited, cells);
        if (cells.count == 0) return;
        if (!softmax_) find_hits(block + 5 * plane, plane, options_.multi_label, cells, hits_);
        core::Box boxes[kLanes];
        decode_boxes(block, plane, first, row, cells, boxes);
        for (int i = 0; i < cells.count; ++i) {
            const int lane = cells.lane[i];
            if (!core::is_finite(boxes[lane])) continue;
            softmax_
                ? add_competing(boxes[lane], cells.objectness[i], block + 5 * plane + lane, plane)
                : add_independent(boxes[lane], cells.objectness[i], lane);
        }
    }

    // The boxes of the cells of a block, whose first lies in `column` and `row`. Whole fours
    // of cells, which the compiler computes at once.
    void decode_boxes(const float* block, std::ptrdiff_t plane, int column, int row,
                      const Cells& cells, core::Box* boxes) const {
        int columns[kLanes], rows[kLanes];
        row += column / head_.columns;
        column %= head_.columns;
        for (int lane = 0; lane < kLanes; ++lane) {
            columns[lane] = column;
            rows[lane] = row;
            if (++column == head_.columns) {
                column = 0;
                ++row;
            }
        }
        const int first = cells.lane[0] / 4 * 4;
        const int end = cells.lane[cells.count - 1] / 4 * 4 + 4;
        const auto decode_all = [=, anchor = anchor_, &columns, &rows](const core::BoxForm& form) {
            for (int lane = first; lane < end; ++lane) {
                const float* cell = block + lane;
                boxes[lane] =
                    core::decode_box(cell[0], cell[plane], cell[2 * plane], cell[3 * plane],
                                     columns[lane], rows[lane], anchor, form);
            }
        };
        core::BoxForm form = form_;
        // Said twice, for a loop without a branch.
        if (form_.activated) {
            form.activated = true;
            decode_all(form);
        } else {
            form.activated = false;
            decode_all(form);
        }
    }

    // Cells up to this objectness hold no candidate. No class probability is above 1, but
    // with new_coords it is any number.
    float least_objectness() const { return form_.activated ? options_.conf : found_.floor(); }

    // The cells of a block that may hold candidates.
    void find_cells(const float* raw, int visited, Cells& cells) const {
        float some[kLanes];
        int count = 0;
        for (int lane = visited; lane < kLanes; ++lane) {
            some[count] = raw[lane];
            cells.lane[count] = lane;
            count += raw[lane] > objectness_floor_ ? 1 : 0;
        }
        activate(some, count);
        const float least = least_objectness();
        for (int i = 0; i < count; ++i) {
            cells.objectness[cells.count] = some[i];
            cells.lane[cells.count] = cells.lane[i];
            cells.count += some[i] > least ? 1 : 0;
        }
        for (int i = 0; i < cells.count; ++i) {
            const float quotient = found_.floor() / cells.objectness[i];
            // For new_coords the quotient rounds; the exact test is in add().
            cells.floor[i] =
                form_.activated ? quotient - 1e-6f * quotient : core::logit_floor(quotient);
        }
    }

    // In whole fours, which the compiler computes at once: `raw` has room for them.
    void activate(float* raw, int count) const {
        if (form_.activated) return;
        const int whole = (count + 3) / 4 * 4;
        std::fill(raw + count, raw + whole, 0.0f);
        for (int i = 0; i < whole; ++i) raw[i] = core::sigmoid(raw[i]);
    }

    void add_independent(const core::Box& box, float objectness, int lane) {
        const int count = hits_.count(lane);
        float* scores = hits_.values(lane);
        activate(scores, count);
        for (int i = 0; i < count; ++i) scores[i] *= objectness;
        const int* class_ids = hits_.class_ids(lane);
        for (int i = 0; i < count; ++i) add(box, scores[i], class_ids[i]);
    }

    // Class probabilities that sum up to 1.
    void add_competing(const core::Box& box, float objectness, const float* classes,
                       std::ptrdiff_t plane) {
        float* powers = hits_.values(0);
        int best = -1;
        for (int i = 0; i < spec_.classes; ++i) {
            const float value = powers[i] = classes[i * plane];
            if (best < 0 ? !core::is_nan(value) : value > powers[best]) best = i;
        }
        if (best < 0) return;
        const float highest = powers[best];
        for (int i = 0; i < spec_.classes; ++i) powers[i] = core::exponential(powers[i] - highest);
        float sum = 0.0f;
        for (int i = 0; i < spec_.classes; ++i) sum += powers[i];
        const int first = options_.multi_label ? 0 : best;
        const int last = options_.multi_label ? spec_.classes - 1 : best;
        for (int i = first; i <= last; ++i) add(box, objectness * (powers[i] / sum), i);
    }

    void add(const core::Box& box, float score, int class_id) {
        if (core::is_finite(score)) found_.add(box, score, class_id);
    }

    const core::HeadView& head_;
    const YoloHead& spec_;
    const DecodeOptions& options_;
    BestCandidates& found_;
    core::BoxForm form_;
    core::Anchor anchor_ = {};
    bool softmax_;
    float objectness_floor_ = 0.0f;
    ClassHits hits_;
    std::vector<float> padded_;
};

}  // namespace

Candidates decode(const std::vector<core::HeadView>& heads, const std::vector<YoloHead>& specs,
                  const DecodeOptions& options) {
    BestCandidates found(options.max_candidates, options.conf);
    for (std::size_t i = 0; i < heads.size(); ++i) {
        HeadDecoder(heads[i], specs[i], options, found).run();
    }
    return found.take();
}

}  // namespace edgeseg::cpu
