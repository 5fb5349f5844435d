// A command: one kernel with the arguments it will run on, copied by value. The stream runs commands; a plan is a list of them. A copy
// costs what the arguments hold, which is little of the room there is.
#pragma once

#include <cstring>
#include <new>
#include <type_traits>

#include "context.h"

namespace receptive {

class Command {
 public:
  static constexpr size_t capacity = 640;

  Command() = default;
  Command(const Command& other) { *this = other; }
  Command& operator=(const Command& other) {
    if (this == &other) return *this;
    call_ = other.call_;
    kernel_ = other.kernel_;
    size_ = other.size_;
    std::memcpy(args_, other.args_, size_);
    return *this;
  }

  template <class Args>
  static Command of(void (*kernel)(const Args&, Context&), const Args& args) {
    static_assert(sizeof(Args) <= capacity, "arguments outgrow a command: raise Command::capacity");
    static_assert(std::is_trivially_copyable_v<Args> && alignof(Args) <= 16, "arguments are plain data");
    Command command;
    command.kernel_ = reinterpret_cast<void (*)()>(kernel);
    command.call_ = [](const Command& self, Context& context) {
      reinterpret_cast<void (*)(const Args&, Context&)>(self.kernel_)(*std::launder(reinterpret_cast<const Args*>(self.args_)), context);
    };
    command.size_ = sizeof args;
    std::memcpy(command.args_, &args, sizeof args);
    return command;
  }

  void run(Context& context) const { call_(*this, context); }

 private:
  void (*call_)(const Command&, Context&) = nullptr;
  void (*kernel_)() = nullptr;
  size_t size_ = 0;
  alignas(16) unsigned char args_[capacity];
};

}  // namespace receptive
