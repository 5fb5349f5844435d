// What went wrong while a command ran, and whether anybody knows.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <utility>

namespace receptive {

struct Failure {
  explicit Failure(std::string text) : message(std::move(text)) {}

  const std::string message;
  std::atomic<bool> told{false};
};

// Its message, for whoever is told; "" where nothing went wrong.
inline std::string tell(const std::shared_ptr<Failure>& failure) {
  if (failure == nullptr) return "";
  failure->told.store(true);
  return failure->message;
}

}  // namespace receptive
