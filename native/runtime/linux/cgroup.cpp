#include "cgroup.h"

#include <cstdio>
#include <memory>
#include <string>

namespace receptive {

namespace {

struct Close {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, Close>;

File open(const std::string& path) { return File(std::fopen(path.c_str(), "re")); }

// The lesser of two limits, of which 0 is none.
double least(double a, double b) { return a > 0 && (b <= 0 || a < b) ? a : b; }

double quota_v2(const std::string& group) {
  double quota = 0, period = 0;
  const File file = open(group + "/cpu.max");
  if (!file || std::fscanf(file.get(), "%lf %lf", &quota, &period) != 2) return 0;  // "max 100000": no limit
  return quota > 0 && period > 0 ? quota / period : 0;
}

double number(const std::string& path) {
  double value = 0;
  const File file = open(path);
  return file && std::fscanf(file.get(), "%lf", &value) == 1 ? value : 0;
}

double quota_v1(const std::string& group) {
  const double quota = number(group + "/cpu.cfs_quota_us"), period = number(group + "/cpu.cfs_period_us");
  return quota > 0 && period > 0 ? quota / period : 0;  // -1: no limit
}

// The least limit of a group and all above it. A container sees its own group as the root, and may read a path that is not there.
template <class Quota>
double along(const std::string& mount, std::string group, const Quota& quota) {
  double limit = quota(mount);
  for (; group.size() > 1; group.erase(group.find_last_of('/'))) limit = least(limit, quota(mount + group));
  return limit;
}

bool lists_cpu(const std::string& controllers) { return ("," + controllers + ",").find(",cpu,") != std::string::npos; }

// Of a line "hierarchy:controllers:/path"; version 2 is hierarchy 0, without controllers.
double limit_of(const std::string& line, const std::string& mount) {
  const size_t first = line.find(':'), second = first == std::string::npos ? first : line.find(':', first + 1);
  if (second == std::string::npos || line.compare(second + 1, 1, "/") != 0) return 0;
  const std::string controllers = line.substr(first + 1, second - first - 1), group = line.substr(second + 1);
  if (group.find("/..") != std::string::npos) return 0;  // outside of what this process sees
  if (controllers.empty()) return along(mount, group, quota_v2);
  return lists_cpu(controllers) ? along(mount + "/cpu", group, quota_v1) : 0;
}

}  // namespace

double cgroup_cpus(const std::string& files) {
  const std::string mount = files + "/sys/fs/cgroup";
  double limit = least(quota_v2(mount), quota_v1(mount + "/cpu"));
  const File groups = open(files + "/proc/self/cgroup");
  std::string line;
  for (int c = 0; groups && (c = std::fgetc(groups.get())) != EOF;) {
    if (c != '\n') {
      line += static_cast<char>(c);
      continue;
    }
    limit = least(limit, limit_of(line, mount));
    line.clear();
  }
  return limit;
}

}  // namespace receptive
