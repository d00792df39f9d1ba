#include "cpu/assign.h"

#include <algorithm>
#include <limits>
#include <numeric>

namespace edgeseg::cpu {
namespace {

// A dense problem of its own: these rows and columns share pairs with no others.
struct Block {
    std::vector<int> rows, columns;
    std::vector<const WeightedPair*> pairs;
};

// Sets of nodes, joined pair by pair.
class Groups {
 public:
    explicit Groups(int count) : parent_(static_cast<std::size_t>(count)) {
        std::iota(parent_.begin(), parent_.end(), 0);
    }
    int root(int node) {
        while (parent_[node] != node) node = parent_[node] = parent_[parent_[node]];
        return node;
    }
    void join(int a, int b) { parent_[root(a)] = root(b); }

 private:
    std::vector<int> parent_;
};

std::vector<Block> independent_blocks(const std::vector<WeightedPair>& pairs, int rows,
                                      int columns) {
    Groups groups(rows + columns);
    std::vector<char> used(static_cast<std::size_t>(rows + columns), 0);
    for (const WeightedPair& pair : pairs) {
        groups.join(pair.row, rows + pair.column);
        used[pair.row] = used[rows + pair.column] = 1;
    }
    std::vector<int> block_of(static_cast<std::size_t>(rows + columns), -1);
    std::vector<Block> blocks;
    for (int node = 0; node < rows + columns; ++node) {
        if (!used[node]) continue;
        int& block = block_of[groups.root(node)];
        if (block < 0) {
            block = static_cast<int>(blocks.size());
            blocks.emplace_back();
        }
        if (node < rows) {
            blocks[block].rows.push_back(node);
        } else {
            blocks[block].columns.push_back(node - rows);
        }
    }
    for (const WeightedPair& pair : pairs) {
        blocks[block_of[groups.root(pair.row)]].pairs.push_back(&pair);
    }
    return blocks;
}

// The Hungarian method with potentials and shortest augmenting paths (Kuhn 1955; Jonker and
// Volgenant 1987): each of `count` agents gets one of `tasks` tasks, count <= tasks, at the
// least total cost. `cost` holds count * tasks numbers. Gives each task's agent, or -1.
class Hungarian {
 public:
    Hungarian(const std::vector<double>& cost, int count, int tasks)
        : cost_(cost),
          tasks_(tasks),
          agent_price_(static_cast<std::size_t>(count), 0.0),
          task_price_(static_cast<std::size_t>(tasks), 0.0),
          agent_of_(static_cast<std::size_t>(tasks), -1),
          nearest_(static_cast<std::size_t>(tasks)),
          before_(static_cast<std::size_t>(tasks)),
          done_(static_cast<std::size_t>(tasks)) {
        for (int agent = 0; agent < count; ++agent) place(agent);
    }
    const std::vector<int>& agent_of() const { return agent_of_; }

 private:
    void place(int agent) {
        std::fill(nearest_.begin(), nearest_.end(), std::numeric_limits<double>::infinity());
        std::fill(before_.begin(), before_.end(), -1);
        std::fill(done_.begin(), done_.end(), 0);
        int asking = agent, at = -1;
        do {
            const int next = reach_out(asking, at);
            shift_prices(agent, nearest_[next]);
            done_[next] = 1;
            at = next;
            asking = agent_of_[at];
        } while (asking >= 0);
        while (at >= 0) {
            const int earlier = before_[at];
            agent_of_[at] = earlier >= 0 ? agent_of_[earlier] : agent;
            at = earlier;
        }
    }
    // Look from `agent`, whose task is `at`, to every task not done; give the nearest of all.
    int reach_out(int agent, int at) {
        int next = -1;
        for (int task = 0; task < tasks_; ++task) {
            if (done_[task]) continue;
            const double way = cost_[static_cast<std::size_t>(agent) * tasks_ + task] -
                               agent_price_[agent] - task_price_[task];
            if (way < nearest_[task]) {
                nearest_[task] = way;
                before_[task] = at;
            }
            if (next < 0 || nearest_[task] < nearest_[next]) next = task;
        }
        return next;
    }
    void shift_prices(int agent, double by) {
        agent_price_[agent] += by;
        for (int task = 0; task < tasks_; ++task) {
            if (done_[task]) {
                agent_price_[agent_of_[task]] += by;
                task_price_[task] -= by;
            } else {
                nearest_[task] -= by;
            }
        }
    }

    const std::vector<double>& cost_;
    int tasks_;
    std::vector<double> agent_price_, task_price_;
    std::vector<int> agent_of_;
    std::vector<double> nearest_;
    std::vector<int> before_;
    std::vector<char> done_;
};

void solve(const Block& block, std::vector<int>& column_of) {
    if (block.pairs.size() == 1) {
        column_of[block.pairs[0]->row] = block.pairs[0]->column;
        return;
    }
    // A pair that may not be chosen costs nothing, like no pair at all.
    const bool turned = block.rows.size() > block.columns.size();
    const std::vector<int>& agents = turned ? block.columns : block.rows;
    const std::vector<int>& tasks = turned ? block.rows : block.columns;
    const auto place = [](const std::vector<int>& all, int one) {
        return std::lower_bound(all.begin(), all.end(), one) - all.begin();
    };
    std::vector<double> cost(agents.size() * tasks.size(), 0.0);
    for (const WeightedPair* pair : block.pairs) {
        const auto agent = place(agents, turned ? pair->column : pair->row);
        const auto task = place(tasks, turned ? pair->row : pair->column);
        cost[static_cast<std::size_t>(agent) * tasks.size() + static_cast<std::size_t>(task)] =
            -pair->weight;
    }
    const Hungarian solved(cost, static_cast<int>(agents.size()), static_cast<int>(tasks.size()));
    for (std::size_t task = 0; task < tasks.size(); ++task) {
        const int agent = solved.agent_of()[task];
        if (agent < 0 || !(cost[static_cast<std::size_t>(agent) * tasks.size() + task] < 0.0)) {
            continue;
        }
        const int row = turned ? tasks[task] : agents[agent];
        column_of[row] = turned ? agents[agent] : tasks[task];
    }
}

}  // namespace

std::vector<int> assign(const std::vector<WeightedPair>& pairs, int rows, int columns) {
    std::vector<int> column_of(static_cast<std::size_t>(rows), -1);
    for (const Block& block : independent_blocks(pairs, rows, columns)) solve(block, column_of);
    return column_of;
}

}  // namespace edgeseg::cpu
