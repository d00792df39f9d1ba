#include "cpu/cracks.h"

namespace edgeseg::cpu {
namespace {

// Cracks of one row, as indices.
struct Row {
    std::size_t begin, end;
};

class Linker {
 public:
    explicit Linker(Cracks& cracks) : cracks_(cracks) {}

    Row scan(const core::GridView& mask, int y) {
        const std::size_t begin = cracks_.all.size();
        bool was_mask = false;
        for (int x = 0; x < mask.columns; ++x) {
            const bool is_mask = mask.data[y * mask.row_stride + x * mask.column_stride] != 0;
            if (is_mask != was_mask) add(x, y, is_mask);
            was_mask = is_mask;
        }
        if (was_mask) add(mask.columns, y, false);
        return {begin, cracks_.all.size()};
    }

    // Between two rows the outline runs where one has mask and the other has not: from the first
    // crack end to the second, from the third to the fourth, and so on, in the order of x.
    void link(Row above, Row below) {
        bool is_open = false, open_is_above = false, mask_is_above = false;
        std::size_t open = 0, a = above.begin, b = below.begin;
        while (a < above.end || b < below.end) {
            const bool tie = a < above.end && b < below.end && at(a).x == at(b).x;
            bool take_above = b == below.end || (a < above.end && at(a).x <= at(b).x);
            if (tie && is_open) {
                // Pixels meet by a corner only: the outline stays with the one it came along.
                mark_cross(a, b);
                take_above = mask_is_above;
            }
            const std::size_t taken = take_above ? a++ : b++;
            if (take_above) mask_is_above = at(taken).opens;
            if (is_open) {
                join(open, open_is_above, taken);
            } else {
                open = taken;
                open_is_above = take_above;
            }
            is_open = !is_open;
        }
    }

    // Runs that lie over one another are of one part.
    void unite(Row above, Row below) {
        std::size_t a = above.begin, b = below.begin;
        while (a < above.end && b < below.end) {
            if (at(a).x < at(b + 1).x && at(b).x < at(a + 1).x) unite_runs(a / 2, b / 2);
            (at(a + 1).x < at(b + 1).x ? a : b) += 2;
        }
    }

    std::size_t part(std::size_t run) {
        std::vector<std::size_t>& parts = cracks_.part_of;
        while (parts[run] != run) run = parts[run] = parts[parts[run]];
        return run;
    }

 private:
    Crack& at(std::size_t i) { return cracks_.all[i]; }

    void add(int x, int y, bool opens) {
        if (opens) cracks_.part_of.push_back(cracks_.part_of.size());
        cracks_.all.push_back({x, y, opens});
    }

    // A crack above ends at its bottom when it closes, a crack below at its top when it opens.
    void join(std::size_t p, bool p_is_above, std::size_t q) {
        const bool leaves_p = p_is_above != at(p).opens;
        (leaves_p ? at(p).next : at(q).next) = leaves_p ? q : p;
    }

    void mark_cross(std::size_t above, std::size_t below) {
        (at(above).opens ? at(above).begins_at_cross : at(above).ends_at_cross) = true;
        (at(below).opens ? at(below).ends_at_cross : at(below).begins_at_cross) = true;
    }

    void unite_runs(std::size_t a, std::size_t b) {
        a = part(a);
        b = part(b);
        if (a < b) {
            cracks_.part_of[b] = a;
        } else {
            cracks_.part_of[a] = b;
        }
    }

    Cracks& cracks_;
};

}  // namespace

Cracks find_cracks(const core::GridView& mask) {
    Cracks cracks;
    Linker linker(cracks);
    Row above = {0, 0};
    for (int y = 0; y <= mask.rows; ++y) {
        const std::size_t end = cracks.all.size();
        const Row below = y < mask.rows ? linker.scan(mask, y) : Row{end, end};
        linker.link(above, below);
        linker.unite(above, below);
        above = below;
    }
    for (std::size_t run = 0; run < cracks.part_of.size(); ++run) {
        cracks.part_of[run] = linker.part(run);
    }
    return cracks;
}

}  // namespace edgeseg::cpu
