#include "cpu/motion.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace edgeseg::cpu {
namespace {

constexpr double kMiddle = 0.7;     // of each side of a box
constexpr int kLeastSide = 4;       // shrunken px
constexpr int kMostSamples = 2048;  // more only cost time
constexpr double kClear = 0.8;      // of the mean difference

// Sum `factor` rows of bytes into `sums`.
void add_rows(const core::ImageView& image, int top, int factor, std::vector<std::uint32_t>& sums) {
    const int bytes = static_cast<int>(sums.size());
    std::fill(sums.begin(), sums.end(), 0u);
    for (int y = top; y < top + factor; ++y) {
        const std::uint8_t* row = image.row(y);
        if (image.is_packed()) {
            for (int i = 0; i < bytes; ++i) sums[i] += row[i];
        } else {
            for (int i = 0; i < bytes; ++i) {
                sums[i] += row[(i / 3) * image.pixel_stride + (i % 3) * image.channel_stride];
            }
        }
    }
}

// A rectangle of shrunken pixels.
struct Block {
    int left, top, width, height;
};

Block middle(const GreyPicture& picture, const core::Box& box) {
    const double scale = 1.0 / picture.factor;
    const double half_w = 0.5 * kMiddle * (box.right - box.left) * scale;
    const double half_h = 0.5 * kMiddle * (box.bottom - box.top) * scale;
    const double x = 0.5 * (box.left + box.right) * scale;
    const double y = 0.5 * (box.top + box.bottom) * scale;
    const double wide = picture.width, high = picture.height;
    const int left = static_cast<int>(std::lround(std::clamp(x - half_w, 0.0, wide)));
    const int top = static_cast<int>(std::lround(std::clamp(y - half_h, 0.0, high)));
    const int right = static_cast<int>(std::lround(std::clamp(x + half_w, 0.0, wide)));
    const int bottom = static_cast<int>(std::lround(std::clamp(y + half_h, 0.0, high)));
    return {left, top, right - left, bottom - top};
}

// Sums of absolute differences at every place around a first guess.
class Search {
 public:
    Search(const GreyPicture& before, const GreyPicture& after, const Block& block, int radius)
        : before_(before), after_(after), block_(block), side_(2 * radius + 1) {
        const long area = static_cast<long>(block.width) * block.height;
        row_step_ = static_cast<int>(std::max(1L, area / kMostSamples));
    }
    // `left` and `top`: the first place's offset from the block.
    void run(int left, int top) {
        differences_.assign(static_cast<std::size_t>(side_) * side_, kOutside);
        for (int j = 0; j < side_; ++j) {
            for (int i = 0; i < side_; ++i) {
                if (fits(left + i, top + j)) differences_[j * side_ + i] = at(left + i, top + j);
            }
        }
    }
    // The place of the least difference; of equal ones the nearest to the middle, then the first.
    int best() const {
        int chosen = -1;
        for (int place = 0; place < side_ * side_; ++place) {
            if (differences_[place] == kOutside) continue;
            if (chosen < 0 || differences_[place] < differences_[chosen] ||
                (differences_[place] == differences_[chosen] && far(place) < far(chosen))) {
                chosen = place;
            }
        }
        return chosen;
    }
    bool is_clear(int place) const {
        double sum = 0.0;
        int count = 0;
        for (const std::uint32_t difference : differences_) {
            if (difference == kOutside) continue;
            sum += difference;
            ++count;
        }
        return differences_[place] < kClear * sum / count;
    }
    // The offset of the true minimum from `place`, along x (step 1) or y (step: the side).
    double fraction(int place, int step) const {
        const int along = step == 1 ? place % side_ : place / side_;
        if (along == 0 || along == side_ - 1) return 0.0;
        const std::uint32_t before = differences_[place - step], after = differences_[place + step];
        if (before == kOutside || after == kOutside) return 0.0;
        const double here = differences_[place];
        const double bend = before - 2.0 * here + after;
        return bend > 0.0 ? 0.5 * (static_cast<double>(before) - after) / bend : 0.0;
    }
    int side() const { return side_; }

 private:
    static constexpr std::uint32_t kOutside = ~0u;

    bool fits(int dx, int dy) const {
        return block_.left + dx >= 0 && block_.top + dy >= 0 &&
               block_.left + dx + block_.width <= after_.width &&
               block_.top + dy + block_.height <= after_.height;
    }
    std::uint32_t at(int dx, int dy) const {
        std::uint32_t sum = 0;
        for (int y = 0; y < block_.height; y += row_step_) {
            const std::uint8_t* a = before_.row(block_.top + y) + block_.left;
            const std::uint8_t* b = after_.row(block_.top + y + dy) + block_.left + dx;
            for (int x = 0; x < block_.width; ++x) {
                sum += static_cast<std::uint32_t>(std::abs(int{a[x]} - int{b[x]}));
            }
        }
        return sum;
    }
    int far(int place) const {
        const int x = place % side_ - side_ / 2, y = place / side_ - side_ / 2;
        return x * x + y * y;
    }

    const GreyPicture& before_;
    const GreyPicture& after_;
    Block block_;
    int side_, row_step_;
    std::vector<std::uint32_t> differences_;
};

}  // namespace

void shrink_grey(const core::ImageView& image, int factor, GreyPicture& out) {
    out.width = image.width / factor;
    out.height = image.height / factor;
    out.factor = factor;
    out.pixels.resize(static_cast<std::size_t>(out.width) * static_cast<std::size_t>(out.height));
    std::vector<std::uint32_t> sums(static_cast<std::size_t>(out.width) * factor * 3);
    const std::uint32_t count = static_cast<std::uint32_t>(factor) * factor * 3;
    // A multiplication for the division; exact to a half grey level for sums below 2^24.
    const float share = 1.0f / static_cast<float>(count);
    for (int y = 0; y < out.height; ++y) {
        add_rows(image, y * factor, factor, sums);
        std::uint8_t* row = out.pixels.data() + static_cast<std::size_t>(y) * out.width;
        for (int x = 0; x < out.width; ++x) {
            std::uint32_t sum = 0;
            for (int i = 0; i < 3 * factor; ++i) sum += sums[x * 3 * factor + i];
            row[x] = static_cast<std::uint8_t>(static_cast<float>(sum) * share + 0.5f);
        }
    }
}

Shift find_shift(const GreyPicture& before, const GreyPicture& after, const core::Box& box,
                 const Shift& guess, int radius) {
    const Block block = middle(before, box);
    if (block.width < kLeastSide || block.height < kLeastSide) return {};
    const double limit = std::max(before.width, before.height);
    const auto whole = [&](double px) {
        return static_cast<int>(std::lround(std::clamp(px / before.factor, -limit, limit)));
    };
    const int left = whole(guess.x) - radius, top = whole(guess.y) - radius;
    Search search(before, after, block, radius);
    search.run(left, top);
    const int place = search.best();
    if (place < 0 || !search.is_clear(place)) return {};
    const double x = left + place % search.side() + search.fraction(place, 1);
    const double y = top + place / search.side() + search.fraction(place, search.side());
    return {true, x * before.factor, y * before.factor};
}

}  // namespace edgeseg::cpu
