#include "ops/rle.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "core/letterbox.h"
#include "ops/checks.h"

namespace edgeseg {
namespace {

// Columns that are turned to lie along memory at once.
constexpr int kTurned = 32;

// Writes runs as text while they come.
class RunWriter {
 public:
    // A stretch of pixels, all with or all without mask; adjacent ones of a kind are one run.
    void add(bool is_mask, std::int64_t length) {
        if (length == 0) return;
        if (is_mask != is_mask_) {
            write(run_);
            is_mask_ = is_mask;
            run_ = 0;
        }
        run_ += length;
    }

    std::string text() && {
        write(run_);
        return std::move(text_);
    }

 private:
    void write(std::int64_t run) {
        const std::int64_t number = written_ > 2 ? run - before_[0] : run;
        before_[0] = before_[1];
        before_[1] = run;
        ++written_;
        for (std::int64_t rest = number;;) {
            const auto bits = static_cast<int>(rest & 31);
            rest >>= 5;
            const bool is_done = rest == ((bits & 16) != 0 ? -1 : 0);
            text_.push_back(static_cast<char>(48 + (is_done ? bits : bits | 32)));
            if (is_done) return;
        }
    }

    std::string text_;
    std::int64_t run_ = 0, before_[2] = {0, 0};
    int written_ = 0;
    bool is_mask_ = false;
};

// Copy `count` columns from `begin` on so that each lies along memory, as 0 and 1.
void turn(const core::GridView& mask, int begin, int count, std::vector<std::uint8_t>& columns) {
    for (int y = 0; y < mask.rows; ++y) {
        const std::uint8_t* row = mask.data + y * mask.row_stride + begin * mask.column_stride;
        std::uint8_t* to = columns.data() + y;
        for (int x = 0; x < count; ++x) {
            to[static_cast<std::ptrdiff_t>(x) * mask.rows] = row[x * mask.column_stride] != 0;
        }
    }
}

void add_column(RunWriter& runs, const std::uint8_t* column, int rows) {
    for (int y = 0; y < rows;) {
        const std::uint8_t kind = column[y];
        const std::uint8_t* end = std::find_if(
            column + y, column + rows, [kind](std::uint8_t other) { return other != kind; });
        const int next = static_cast<int>(end - column);
        runs.add(kind != 0, next - y);
        y = next;
    }
}

// Reads one number after the other.
class NumberReader {
 public:
    explicit NumberReader(const std::string& text) : text_(text) {}

    bool is_done() const { return position_ == text_.size(); }

    std::int64_t next() {
        // More bits than any run has; the shifts below stay within 64.
        constexpr int kMaxGroups = 12;
        std::int64_t number = 0;
        for (int group = 0; group < kMaxGroups; ++group) {
            if (is_done()) refuse("counts ends inside of a number");
            const int bits = static_cast<unsigned char>(text_[position_]) - 48;
            if (bits < 0 || bits > 63) {
                refuse("counts has a character that is not COCO's at position ", position_);
            }
            ++position_;
            number |= static_cast<std::int64_t>(bits & 31) << (5 * group);
            if ((bits & 32) != 0) continue;
            if ((bits & 16) != 0) number -= std::int64_t{1} << (5 * group + 5);
            return number;
        }
        refuse("counts has a number that is too large before position ", position_);
    }

 private:
    const std::string& text_;
    std::size_t position_ = 0;
};

// Set `run` pixels, counted down the columns, from `position` on.
void set_run(std::int64_t position, std::int64_t run, int width, int height, std::uint8_t* out) {
    if (run == 0) return;
    std::int64_t x = position / height, y = position % height;
    for (std::int64_t i = 0; i < run; ++i) {
        out[y * width + x] = 1;
        if (++y == height) {
            y = 0;
            ++x;
        }
    }
}

void check_frame(int width, int height) {
    if (width < 0 || height < 0 || width > core::kMaxSourceSide || height > core::kMaxSourceSide) {
        refuse("size (height, width) must be from 0 to ", core::kMaxSourceSide, ", got (", height,
               ", ", width, ")");
    }
}

}  // namespace

std::string rle_encode(const core::GridView& mask, const FramePlace& place) {
    check_frame(place.width, place.height);
    if (place.x < 0 || place.y < 0 || mask.columns > place.width - place.x ||
        mask.rows > place.height - place.y) {
        refuse("mask must lie inside of the frame of ", place.width, " x ", place.height,
               " pixels, got ", mask.columns, " x ", mask.rows, " at (", place.x, ", ", place.y,
               ")");
    }
    RunWriter runs;
    const std::int64_t height = place.height, above = place.y;
    const std::int64_t below = height - above - mask.rows;
    std::vector<std::uint8_t> columns(static_cast<std::size_t>(kTurned) *
                                      static_cast<std::size_t>(mask.rows));
    runs.add(false, place.x * height);
    for (int begin = 0; begin < mask.columns; begin += kTurned) {
        const int count = std::min(kTurned, mask.columns - begin);
        turn(mask, begin, count, columns);
        for (int x = 0; x < count; ++x) {
            runs.add(false, above);
            add_column(runs, columns.data() + static_cast<std::ptrdiff_t>(x) * mask.rows,
                       mask.rows);
            runs.add(false, below);
        }
    }
    runs.add(false, (place.width - place.x - mask.columns) * height);
    return std::move(runs).text();
}

std::vector<std::int64_t> rle_runs(const std::string& text, int width, int height) {
    check_frame(width, height);
    const std::int64_t pixels = static_cast<std::int64_t>(width) * height;
    NumberReader numbers(text);
    std::vector<std::int64_t> runs;
    std::int64_t left = pixels;
    while (!numbers.is_done()) {
        const std::size_t i = runs.size();
        const std::int64_t run = numbers.next() + (i > 2 ? runs[i - 2] : 0);
        if (run < 0 || run > left) {
            refuse("counts has a run of ", run, " pixels where ", left, " are left");
        }
        runs.push_back(run);
        left -= run;
    }
    if (left != 0) {
        refuse("counts sums up to ", pixels - left, " pixels, size (", height, ", ", width,
               ") has ", pixels);
    }
    return runs;
}

void rle_fill(const std::vector<std::int64_t>& runs, int width, int height, std::uint8_t* out) {
    std::fill_n(out, static_cast<std::int64_t>(width) * height, std::uint8_t{0});
    std::int64_t position = 0;
    for (std::size_t i = 0; i < runs.size(); ++i) {
        if (i % 2 == 1) set_run(position, runs[i], width, height, out);
        position += runs[i];
    }
}

}  // namespace edgeseg
