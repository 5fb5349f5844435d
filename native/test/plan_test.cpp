// Plans: their commands in order, what they keep, and runs that are cancelled while the stream runs them.
#include "../runtime/plan.h"

#include <gtest/gtest.h>

#include <thread>

#include "../runtime/allocator.h"
#include "../runtime/stream.h"

namespace receptive::test::plan_test {

namespace {

// to[i] = from[i] * factor for a small tensor.
struct ScaleArgs {
  const float* from;
  float* to;
  int64_t size;
  float factor;
};
void scale(const ScaleArgs& a, Context&) {
  for (int64_t i = 0; i < a.size; ++i) a.to[i] = a.from[i] * a.factor;
}

// Keeps a number it counts up in its first run only, and adds it.
struct KeepArgs {
  float* to;
  int* made;
};
void keep(const KeepArgs& a, Context& context) {
  bool made;
  float* const kept = static_cast<float*>(context.keep(sizeof(float), &made));
  EXPECT_TRUE(context.keeps());
  if (!made) *kept = static_cast<float>(++*a.made);
  *a.to += *kept;
}

// The same, but what it makes is not all there when it first throws.
void keep_or_throw(const KeepArgs& a, Context& context) {
  const int before = *a.made;
  keep(a, context);
  if (before == 0) throw std::bad_alloc();
}

struct WaitArgs {
  std::atomic<bool>* reached;
  std::atomic<bool>* go;
};
void wait_for_go(const WaitArgs& a, Context&) {
  a.reached->store(true);
  while (!a.go->load()) std::this_thread::yield();
}

void fail(const int&, Context& context) { context.fail("bad data"); }

Tensor of(float* data, int64_t size) {
  Tensor tensor;
  tensor.data = data;
  tensor.rank = 1;
  tensor.dims[0] = size;
  return tensor;
}

void tell(void* data, std::string failure) { *static_cast<std::string*>(data) = std::move(failure); }

// Records a run, and returns its number.
uint64_t record(Stream& stream, Plan& plan, uint64_t ticket, float* from, float* to, Block* result) {
  void* data[] = {from, to};
  Uses uses;
  uses.add(result, true);
  return stream.record(plan.run(ticket, data), uses);
}

}  // namespace

TEST(plan, runs_its_commands_in_order_on_what_it_is_given) {
  float in[3], middle[3], out[3], from[] = {1, 2, 3}, to[3] = {};
  Plan plan;
  plan.add(Command::of(scale, ScaleArgs{in, middle, 3, 2}), nullptr);
  plan.add(Command::of(scale, ScaleArgs{middle, out, 3, 10}), nullptr);
  plan.inputs = {of(in, 3)};
  plan.outputs = {of(out, 3)};
  EXPECT_EQ(plan.commands(), 2u);
  Stream stream([](bool) {});
  Block result{to, sizeof to};
  for (int run = 1; run <= 3; ++run) {
    for (float& value : from) value = static_cast<float>(run);
    stream.wait(record(stream, plan, static_cast<uint64_t>(run), from, to, &result));
    for (const float value : to) EXPECT_EQ(value, 20.0f * static_cast<float>(run));
  }
}

TEST(plan, keeps_what_commands_make_of_constants) {
  float out = 0, to = 0;
  int made = 0;
  Plan plan;
  plan.add(Command::of(keep, KeepArgs{&out, &made}), std::make_shared<Kept>());
  plan.outputs = {of(&out, 1)};
  Stream stream([](bool) {});
  Block result{&to, sizeof to};
  void* data[] = {&to};
  for (uint64_t run = 1; run <= 5; ++run) {
    Uses uses;
    uses.add(&result, true);
    stream.record(plan.run(run, data), uses);
  }
  stream.wait(stream.recorded());
  EXPECT_EQ(made, 1);
  EXPECT_EQ(to, 5);
  EXPECT_EQ(plan.kept_bytes(), sizeof(float));
}

TEST(plan, makes_again_what_a_run_that_failed_kept) {
  float out = 0, to = 0;
  int made = 0;
  Plan plan;
  plan.add(Command::of(keep_or_throw, KeepArgs{&out, &made}), std::make_shared<Kept>());
  plan.outputs = {of(&out, 1)};
  Stream stream([](bool) {});
  Block result{&to, sizeof to};
  void* data[] = {&to};
  for (uint64_t run = 1; run <= 3; ++run) {
    Uses uses;
    uses.add(&result, true);
    stream.record(plan.run(run, data), uses);
  }
  stream.wait(stream.recorded());
  EXPECT_EQ(made, 2);
  EXPECT_EQ(to, 5);  // 1, which failed, and twice 2
}

TEST(plan, a_cancelled_run_stops_before_its_next_command_and_no_other_does) {
  float in = 0, out = 0, from = 7, to[3] = {-1, -1, -1};
  std::atomic<bool> reached{false}, go{false};
  Plan plan;
  plan.add(Command::of(wait_for_go, WaitArgs{&reached, &go}), nullptr);
  plan.add(Command::of(scale, ScaleArgs{&in, &out, 1, 1}), nullptr);
  plan.inputs = {of(&in, 1)};
  plan.outputs = {of(&out, 1)};
  Stream stream([](bool) {});
  Block results[] = {{&to[0], 4}, {&to[1], 4}, {&to[2], 4}};
  for (uint64_t run = 0; run < 3; ++run) record(stream, plan, run + 1, &from, &to[run], &results[run]);
  while (!reached.load()) std::this_thread::yield();
  plan.cancel(1);  // it is running
  plan.cancel(3);  // it waits
  go.store(true);
  std::string told[3], synced = "not told";
  for (int run = 0; run < 3; ++run) stream.read(nullptr, results[run], 0, tell, &told[run]);
  stream.wait(stream.sync(tell, &synced));
  EXPECT_EQ(told[0], "the run was cancelled");
  EXPECT_EQ(told[1], "");
  EXPECT_EQ(told[2], "the run was cancelled");
  EXPECT_EQ(to[1], 7);
  EXPECT_EQ(synced, "") << "to stop a run is no fault";
}

TEST(plan, a_command_that_fails_ends_the_run_and_its_results_say_so) {
  float in = 0, out = 0, from = 7, to = 0;
  Plan plan;
  plan.add(Command::of(fail, 0), nullptr);
  plan.add(Command::of(scale, ScaleArgs{&in, &out, 1, 1}), nullptr);
  plan.inputs = {of(&in, 1)};
  plan.outputs = {of(&out, 1)};
  Stream stream([](bool) {});
  Block result{&to, sizeof to};
  record(stream, plan, 1, &from, &to, &result);
  std::string told;
  stream.wait(stream.read(nullptr, result, 0, tell, &told));
  EXPECT_EQ(told, "bad data");
}

}  // namespace receptive::test::plan_test
