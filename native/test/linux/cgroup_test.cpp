#include "../../runtime/linux/cgroup.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace receptive::test::cgroup_test {

namespace {

// A root directory with the files that a test lays in it.
class cgroup : public testing::Test {
 protected:
  cgroup() : root_(std::filesystem::path(testing::TempDir()) / ("cgroup-" + std::string(name()))) {
    std::filesystem::create_directories(root_);
  }
  ~cgroup() override { std::filesystem::remove_all(root_); }

  void file(const std::string& path, const std::string& text) const {
    std::filesystem::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  double cpus() const { return cgroup_cpus(root_.string()); }

 private:
  static const char* name() { return testing::UnitTest::GetInstance()->current_test_info()->name(); }
  const std::filesystem::path root_;
};

}  // namespace

TEST_F(cgroup, no_files_are_no_limit) { EXPECT_EQ(cpus(), 0); }

TEST_F(cgroup, version_2_in_a_container) {
  file("proc/self/cgroup", "0::/\n");
  file("sys/fs/cgroup/cpu.max", "50000 100000\n");
  EXPECT_EQ(cpus(), 0.5);
}

TEST_F(cgroup, version_2_without_a_limit) {
  file("proc/self/cgroup", "0::/\n");
  file("sys/fs/cgroup/cpu.max", "max 100000\n");
  EXPECT_EQ(cpus(), 0);
}

TEST_F(cgroup, version_2_in_a_service_takes_the_least_on_the_way_up) {
  file("proc/self/cgroup", "0::/system.slice/app.service\n");
  file("sys/fs/cgroup/system.slice/cpu.max", "150000 100000\n");
  file("sys/fs/cgroup/system.slice/app.service/cpu.max", "300000 100000\n");
  EXPECT_EQ(cpus(), 1.5);
  file("sys/fs/cgroup/system.slice/app.service/cpu.max", "max 100000\n");
  EXPECT_EQ(cpus(), 1.5);
  file("sys/fs/cgroup/other.slice/cpu.max", "1000 100000\n");
  EXPECT_EQ(cpus(), 1.5);
}

TEST_F(cgroup, version_1_in_a_container_that_shows_the_path_of_the_host) {
  file("proc/self/cgroup", "5:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n");
  file("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "250000\n");
  file("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(cpus(), 2.5);
}

TEST_F(cgroup, version_1_in_a_group) {
  file("proc/self/cgroup", "4:cpu,cpuacct:/batch\n3:cpuset:/none\n0::/\n");
  file("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
  file("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(cpus(), 0);
  file("sys/fs/cgroup/cpu/batch/cpu.cfs_quota_us", "75000\n");
  file("sys/fs/cgroup/cpu/batch/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(cpus(), 0.75);
}

TEST_F(cgroup, files_that_say_something_else_are_no_limit) {
  file("proc/self/cgroup", "\n:\n0:\n0::relative\n0::/../outside\n4:cpuset,cpux:/batch");
  for (const char* text : {"", "x", "100000", "-5 100000", "100000 0"}) {
    file("sys/fs/cgroup/cpu.max", text);
    EXPECT_EQ(cpus(), 0) << text;
  }
}

}  // namespace receptive::test::cgroup_test
