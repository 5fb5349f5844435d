#include "../runtime/stream.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <new>
#include <stdexcept>
#include <thread>
#include <vector>

namespace receptive::test {

namespace {

using std::chrono::milliseconds;

struct Append {
  std::vector<int>* to;
  int value;
};
void append(const Append& a, Context&) { a.to->push_back(a.value); }

// A command that runs until it is let go.
struct Gate {
  std::atomic<bool> reached{false}, open{false};
  void pass() { open.store(true); }
};
struct GateArgs {
  Gate* gate;
};
void gate(const GateArgs& a, Context&) {
  a.gate->reached.store(true);
  while (!a.gate->open.load()) std::this_thread::sleep_for(milliseconds(1));
}

struct FailArgs {
  enum { report, bad_alloc, exception, other } how;
};
void fail(const FailArgs& a, Context& context) {
  switch (a.how) {
    case FailArgs::report: return context.fail("reported %d", 7);
    case FailArgs::bad_alloc: throw std::bad_alloc();
    case FailArgs::exception: throw std::runtime_error("thrown");
    case FailArgs::other: throw 1;
  }
}

struct Nothing {};
void nothing(const Nothing&, Context&) {}

void tell(void* out, std::string failure) { *static_cast<std::string*>(out) = std::move(failure); }

// What a sync is told.
std::string failure_of(Stream& stream) {
  std::string told = "not called";
  stream.wait(stream.sync(tell, &told));
  return told;
}

// What a read of the block is told.
std::string failure_of(Stream& stream, const Block& block) {
  std::string told = "not called";
  stream.wait(stream.read(nullptr, block, 0, tell, &told));
  return told;
}

// A command that makes results of inputs, and fails if `fails`.
void compute(Stream& stream, std::initializer_list<Block*> inputs, std::initializer_list<Block*> results, bool fails = false) {
  Uses uses;
  for (Block* input : inputs) uses.add(input, false);
  for (Block* result : results) uses.add(result, true);
  stream.record(fails ? Command::of(fail, FailArgs{FailArgs::report}) : Command::of(nothing, Nothing{}), uses);
}

void ignore(void*, std::string) {}

}  // namespace

TEST(stream, runs_commands_in_order_past_the_capacity_of_its_queue) {
  std::vector<int> order;
  Stream stream([](bool) {});
  const int n = static_cast<int>(Stream::kCapacity) * 3 + 17;
  for (int i = 0; i < n; ++i) ASSERT_EQ(stream.record(Command::of(append, Append{&order, i})), static_cast<uint64_t>(i + 1));
  stream.wait(stream.recorded());
  ASSERT_EQ(order.size(), static_cast<size_t>(n));
  for (int i = 0; i < n; ++i) ASSERT_EQ(order[static_cast<size_t>(i)], i);
  EXPECT_EQ(stream.completed(), static_cast<uint64_t>(n));
}

TEST(stream, recording_blocks_while_the_queue_is_full) {
  Gate first;
  Stream stream([](bool) {});
  stream.record(Command::of(gate, GateArgs{&first}));
  while (!first.reached.load()) std::this_thread::yield();
  for (uint64_t i = 1; i < Stream::kCapacity; ++i) stream.record(Command::of(nothing, Nothing{}));
  EXPECT_EQ(stream.completed(), 0u);
  std::atomic<bool> opened{false};
  std::thread opener([&] {
    std::this_thread::sleep_for(milliseconds(50));
    opened.store(true);
    first.pass();
  });
  stream.record(Command::of(nothing, Nothing{}));
  EXPECT_TRUE(opened.load()) << "a command was taken while the queue was full";
  opener.join();
  stream.wait(stream.recorded());
}

// Counts the runs that had to make what the others found.
struct MakeArgs {
  int* made;
};
void make(const MakeArgs& a, Context& context) {
  bool there;
  context.keep(sizeof(float), &there);
  EXPECT_FALSE(context.always_keeps());
  if (!there) ++*a.made;
}

TEST(stream, commands_find_what_others_kept_and_free_it_when_they_are_the_last_to_hold_it) {
  Stream stream([](bool) {});
  int made = 0;
  auto kept = std::make_shared<Kept>();
  const std::weak_ptr<Kept> seen = kept;
  for (int i = 0; i < 3; ++i) stream.record(Command::of(make, MakeArgs{&made}), {}, kept);
  kept.reset();
  stream.wait(stream.record(Command::of(make, MakeArgs{&made})));
  EXPECT_EQ(made, 2);  // once for those three, once for the one that keeps nothing
  EXPECT_TRUE(seen.expired());
}

TEST(stream, a_read_sees_the_commands_before_it_only) {
  Stream stream([](bool) {});
  float source = 0;
  const Block block{&source, sizeof source};
  float results[100];
  struct Set {
    float* where;
    float value;
  };
  for (int i = 0; i < 100; ++i) {
    stream.record(Command::of<Set>([](const Set& s, Context&) { *s.where = s.value; }, Set{&source, static_cast<float>(i)}));
    stream.read(&results[i], block, sizeof source, ignore, nullptr);
  }
  stream.wait(stream.recorded());
  for (int i = 0; i < 100; ++i) EXPECT_EQ(results[i], static_cast<float>(i));
}

TEST(stream, every_wake_up_arrives) {
  Stream stream([](bool) {});
  std::vector<int> order;
  for (int i = 0; i < 300; ++i) {
    if (i % 3 == 0) std::this_thread::sleep_for(std::chrono::microseconds(20 + i));  // about where spinning ends and parking begins
    stream.wait(stream.record(Command::of(append, Append{&order, i})));
    ASSERT_EQ(order.size(), static_cast<size_t>(i + 1));
  }
}

TEST(stream, a_failure_goes_to_the_next_sync_and_no_further) {
  Stream stream([](bool) {});
  EXPECT_EQ(failure_of(stream), "");
  stream.record(Command::of(fail, FailArgs{FailArgs::report}));
  stream.record(Command::of(nothing, Nothing{}));
  EXPECT_EQ(failure_of(stream), "reported 7");
  EXPECT_EQ(failure_of(stream), "");
}

TEST(stream, a_failure_follows_the_data_and_nothing_else) {
  Block weight{nullptr, 0}, bad{nullptr, 0}, derived{nullptr, 0}, late{nullptr, 0}, before{nullptr, 0}, other{nullptr, 0};
  Stream stream([](bool) {});
  compute(stream, {}, {&weight});
  compute(stream, {&weight}, {&before});
  compute(stream, {&weight}, {&bad}, true);
  compute(stream, {&weight}, {&other});
  compute(stream, {&weight, &bad}, {&derived});
  EXPECT_EQ(failure_of(stream, other), "") << "work that shares a weight only";
  EXPECT_EQ(failure_of(stream, before), "");
  EXPECT_EQ(failure_of(stream, weight), "");
  compute(stream, {&derived}, {&late});  // recorded when the failure was long known
  for (int again = 0; again < 2; ++again) {
    EXPECT_EQ(failure_of(stream, bad), "reported 7");
    EXPECT_EQ(failure_of(stream, derived), "reported 7");
    EXPECT_EQ(failure_of(stream, late), "reported 7");
  }
  EXPECT_EQ(failure_of(stream), "reported 7") << "a sync hears of all there was";
}

TEST(stream, a_failure_is_gone_when_its_block_is_written_anew) {
  Block block{nullptr, 0}, input{nullptr, 0};
  Stream stream([](bool) {});
  compute(stream, {}, {&block}, true);
  EXPECT_EQ(failure_of(stream, block), "reported 7");
  compute(stream, {&input}, {&block});
  EXPECT_EQ(failure_of(stream, block), "");
}

TEST(stream, a_command_that_says_nothing_of_what_it_writes_marks_all_it_was_given_if_it_fails) {
  Block weight{nullptr, 0}, gradient{nullptr, 0};
  Stream stream([](bool) {});
  compute(stream, {}, {&gradient}, true);
  compute(stream, {&weight, &gradient}, {});
  EXPECT_EQ(failure_of(stream, weight), "");
  compute(stream, {&weight}, {}, true);
  EXPECT_EQ(failure_of(stream, weight), "reported 7");
}

TEST(stream, what_a_command_changes_is_marked_until_it_is_written_anew) {
  Block sum{nullptr, 0}, bad{nullptr, 0}, good{nullptr, 0};
  Stream stream([](bool) {});
  compute(stream, {}, {&bad}, true);
  const auto add = [&](Block* summand) {
    Uses uses;
    uses.add(summand, false);
    uses.add(&sum, false);
    uses.changed = 1u << 1;
    stream.record(Command::of(nothing, Nothing{}), uses);
  };
  add(&good);
  EXPECT_EQ(failure_of(stream, sum), "");
  add(&bad);
  add(&good);
  EXPECT_EQ(failure_of(stream, sum), "reported 7");
  EXPECT_EQ(failure_of(stream, good), "");
  compute(stream, {&good}, {&sum});
  EXPECT_EQ(failure_of(stream, sum), "");
}

// An update of a weight by a gradient, which counts how often it ran, and has a result of its own.
struct Updating {
  Stream stream{[](bool) {}};
  Block weight{nullptr, 0}, gradient{nullptr, 0}, result{nullptr, 0};
  std::vector<int> ran;
  Uses uses;

  Updating() {
    uses.add(&weight, false);
    uses.add(&gradient, false);
    uses.add(&result, true);
    uses.updated = 1u << 0;
  }
  void update() { stream.record(Command::of(append, Append{&ran, 1}), uses); }
  void fail_and_update() {
    compute(stream, {}, {&gradient}, true);
    update();
    stream.wait(stream.recorded());
  }
};

TEST(stream, an_update_by_a_marked_block_is_left_out_and_the_next_is_told_once) {
  Updating one;
  one.update();
  one.stream.wait(one.stream.recorded());
  EXPECT_EQ(one.stream.left_out(one.uses), "");
  EXPECT_EQ(one.ran.size(), 1u);
  one.fail_and_update();
  EXPECT_EQ(one.ran.size(), 1u);
  Uses others;
  others.add(&one.weight, false);
  others.add(&one.gradient, false);
  others.updated = 1u << 1;
  EXPECT_EQ(one.stream.left_out(others), "") << "who only reads the weight";
  EXPECT_EQ(one.stream.left_out(one.uses), "reported 7");
  EXPECT_EQ(one.stream.left_out(one.uses), "");
  EXPECT_EQ(failure_of(one.stream, one.weight), "");
  EXPECT_EQ(failure_of(one.stream, one.result), "reported 7");
  compute(one.stream, {}, {&one.gradient});
  one.update();
  EXPECT_EQ(failure_of(one.stream, one.result), "");
  EXPECT_EQ(one.ran.size(), 2u);
}

TEST(stream, an_update_that_was_left_out_is_not_told_where_a_read_was) {
  Updating before, after, synced, anew, reused;
  compute(before.stream, {}, {&before.gradient}, true);
  EXPECT_EQ(failure_of(before.stream, before.gradient), "reported 7");
  before.update();
  before.stream.wait(before.stream.recorded());
  EXPECT_EQ(before.stream.left_out(before.uses), "");
  after.fail_and_update();
  EXPECT_EQ(failure_of(after.stream, after.gradient), "reported 7");
  EXPECT_EQ(after.stream.left_out(after.uses), "");
  after.fail_and_update();
  EXPECT_EQ(after.stream.left_out(after.uses), "reported 7") << "a later one";
  synced.fail_and_update();
  EXPECT_EQ(failure_of(synced.stream), "reported 7");
  EXPECT_EQ(synced.stream.left_out(synced.uses), "");
  anew.fail_and_update();
  compute(anew.stream, {}, {&anew.weight});
  anew.stream.wait(anew.stream.recorded());
  EXPECT_EQ(anew.stream.left_out(anew.uses), "");
  reused.fail_and_update();
  reused.stream.renew(&reused.weight);
  EXPECT_EQ(reused.stream.left_out(reused.uses), "");
}

TEST(stream, an_update_that_fails_itself_marks_what_it_updates) {
  Updating one;
  one.stream.record(Command::of(fail, FailArgs{FailArgs::report}), one.uses);
  EXPECT_EQ(failure_of(one.stream, one.weight), "reported 7");
  EXPECT_EQ(failure_of(one.stream, one.result), "reported 7");
  EXPECT_EQ(failure_of(one.stream, one.gradient), "");
}

TEST(stream, an_update_that_is_interrupted_is_left_out) {
  Updating one;
  one.stream.record(Command::of(fail, FailArgs{FailArgs::bad_alloc}), one.uses);
  one.stream.wait(one.stream.recorded());
  EXPECT_NE(one.stream.left_out(one.uses).find("not enough memory"), std::string::npos);
  EXPECT_EQ(failure_of(one.stream, one.weight), "");
  EXPECT_NE(failure_of(one.stream, one.result), "");
  one.update();
  EXPECT_EQ(failure_of(one.stream, one.result), "");
}

TEST(stream, an_update_that_will_be_left_out_is_none_of_the_tensors_that_has_the_memory_next) {
  Updating one;
  Gate running;
  one.stream.record(Command::of(gate, GateArgs{&running}));
  compute(one.stream, {}, {&one.gradient}, true);
  one.update();
  one.stream.renew(&one.weight);
  running.pass();
  one.stream.wait(one.stream.recorded());
  EXPECT_EQ(one.stream.left_out(one.uses), "");
  EXPECT_TRUE(one.ran.empty());
}

TEST(stream, the_first_of_several_failures_is_told) {
  Stream stream([](bool) {});
  stream.record(Command::of(fail, FailArgs{FailArgs::exception}));
  stream.record(Command::of(fail, FailArgs{FailArgs::report}));
  EXPECT_EQ(failure_of(stream), "thrown");
}

TEST(stream, whatever_a_kernel_throws_is_a_failure_and_the_stream_goes_on) {
  Stream stream([](bool) {});
  std::vector<int> order;
  stream.record(Command::of(fail, FailArgs{FailArgs::bad_alloc}));
  EXPECT_NE(failure_of(stream).find("not enough memory"), std::string::npos);
  stream.record(Command::of(fail, FailArgs{FailArgs::other}));
  EXPECT_NE(failure_of(stream), "");
  stream.wait(stream.record(Command::of(append, Append{&order, 1})));
  EXPECT_EQ(order.size(), 1u);
}

TEST(stream, stopping_finishes_the_running_command_and_drops_the_rest) {
  std::vector<int> order;
  Gate running;
  std::atomic<bool> read_done{false};
  {
    Stream stream([](bool) {});
    stream.record(Command::of(append, Append{&order, 1}));
    stream.record(Command::of(gate, GateArgs{&running}));
    stream.record(Command::of(append, Append{&order, 2}));
    stream.sync([](void* flag, std::string) { static_cast<std::atomic<bool>*>(flag)->store(true); }, &read_done);
    while (!running.reached.load()) std::this_thread::yield();
    std::thread opener([&] {
      std::this_thread::sleep_for(milliseconds(20));
      running.pass();
    });
    stream.stop();
    opener.join();
    EXPECT_EQ(stream.completed(), 2u);
  }
  EXPECT_EQ(order, std::vector<int>{1});
  EXPECT_FALSE(read_done.load());
}

TEST(stream, may_be_stopped_unused_parked_or_busy) {
  {
    Stream unused([](bool) {});
  }
  for (const int sleep : {0, 1, 5}) {
    Stream stream([](bool) {});
    for (int i = 0; i < 100; ++i) stream.record(Command::of(nothing, Nothing{}));
    std::this_thread::sleep_for(milliseconds(sleep));
    stream.stop();
    stream.stop();
  }
}

TEST(stream, tells_of_a_pause_and_of_a_rest_once_each) {
  std::atomic<int> pauses{0}, rests{0};
  Stream stream([&](bool rested) { (rested ? rests : pauses).fetch_add(1); }, milliseconds(100), milliseconds(400));
  const auto run = [&] { stream.wait(stream.record(Command::of(nothing, Nothing{}))); };
  run();
  std::this_thread::sleep_for(milliseconds(1200));
  EXPECT_EQ(pauses.load(), 1);
  EXPECT_EQ(rests.load(), 1);
  run();  // and still runs
  std::this_thread::sleep_for(milliseconds(1200));
  EXPECT_EQ(pauses.load(), 2);
  EXPECT_EQ(rests.load(), 2);
}

TEST(stream, tells_of_pauses_no_more_often_than_a_rest_would_take) {
  std::atomic<int> pauses{0}, rests{0};
  Stream stream([&](bool rested) { (rested ? rests : pauses).fetch_add(1); }, milliseconds(20), milliseconds(60'000));
  for (int i = 0; i < 5; ++i) {
    stream.wait(stream.record(Command::of(nothing, Nothing{})));
    std::this_thread::sleep_for(milliseconds(100));
  }
  EXPECT_EQ(pauses.load(), 1);
  EXPECT_EQ(rests.load(), 0);
}

TEST(stream, several_side_by_side_share_the_pool) {
  struct Sum {
    int64_t* out;
  };
  const auto sum = [](const Sum& s, Context& context) {
    int64_t parts[16] = {};
    context.parallel(16, [&](int64_t chunk, int) { parts[chunk] = chunk; });
    for (const int64_t part : parts) *s.out += part;
  };
  std::vector<std::thread> owners;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 3; ++t) {
    owners.emplace_back([&] {
      int64_t out = 0;
      Stream stream([](bool) {});
      for (int i = 0; i < 500; ++i) stream.record(Command::of<Sum>(sum, Sum{&out}));
      stream.wait(stream.recorded());
      if (out != 500 * 120) wrong.fetch_add(1);
    });
  }
  for (std::thread& owner : owners) owner.join();
  EXPECT_EQ(wrong.load(), 0);
}

}  // namespace receptive::test
