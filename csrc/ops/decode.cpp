#include "ops/decode.h"

#include "cpu/decode.h"
#include "ops/checks.h"

namespace edgeseg {
namespace {

constexpr int kMaxCells = 1 << 15;
constexpr int kMaxSide = 1 << 20;
constexpr int kMaxClasses = 1 << 20;

void check_fit(std::size_t i, const core::HeadView& head, const YoloHead& spec) {
    const auto channels = static_cast<std::int64_t>(spec.anchors_net.size()) * (5 + spec.classes);
    if (head.channels != channels) {
        refuse("heads[", i, "] must have ", channels, " channels (", spec.anchors_net.size(),
               " anchors x (5 + ", spec.classes, " classes)), got ", head.channels);
    }
    if (head.rows < 1 || head.columns < 1 || head.rows > kMaxCells || head.columns > kMaxCells) {
        refuse("heads[", i, "] must have 1 to ", kMaxCells, " rows and columns, got ", head.rows,
               " x ", head.columns);
    }
}

void check_options(const DecodeOptions& options) {
    if (options.net_width < 1 || options.net_height < 1 || options.net_width > kMaxSide ||
        options.net_height > kMaxSide) {
        refuse("net_px must be from 1 to ", kMaxSide, ", got (", options.net_width, ", ",
               options.net_height, ")");
    }
    if (!(options.conf >= 0.0f && options.conf <= 1.0f)) {
        refuse("conf must be from 0 to 1, got ", options.conf);
    }
    if (options.max_candidates < 1) {
        refuse("max_candidates must be 1 or more, got ", options.max_candidates);
    }
}

}  // namespace

void check_head(const YoloHead& head) {
    if (head.anchors_net.empty()) refuse("anchors_net must name at least one anchor");
    for (const core::Anchor& anchor : head.anchors_net) {
        if (!(anchor.width > 0.0f && anchor.height > 0.0f && anchor.width <= kMaxSide &&
              anchor.height <= kMaxSide)) {
            refuse("anchors_net must be above 0 and at most ", kMaxSide, ", got (", anchor.width,
                   ", ", anchor.height, ")");
        }
    }
    if (head.classes < 1 || head.classes > kMaxClasses) {
        refuse("classes must be from 1 to ", kMaxClasses, ", got ", head.classes);
    }
    if (!core::is_finite(head.scale_x_y) || head.scale_x_y <= 0.0f) {
        refuse("scale_x_y must be above 0, got ", head.scale_x_y);
    }
    if (head.new_coords && head.kind == HeadKind::kRegion) {
        refuse("new_coords must be false for kind \"region\"");
    }
}

void check_decode(const std::vector<core::HeadView>& heads, const std::vector<YoloHead>& specs,
                  const DecodeOptions& options) {
    if (heads.size() != specs.size()) {
        refuse("heads and specs must be as many, got ", heads.size(), " and ", specs.size());
    }
    for (std::size_t i = 0; i < heads.size(); ++i) check_fit(i, heads[i], specs[i]);
    check_options(options);
}

Candidates decode(Device device, const std::vector<core::HeadView>& heads,
                  const std::vector<YoloHead>& specs, const DecodeOptions& options) {
    check_decode(heads, specs, options);
    if (device != Device::kCpu) refuse_device("decode", device);
    return cpu::decode(heads, specs, options);
}

}  // namespace edgeseg
