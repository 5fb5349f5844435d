// The tensors of one environment, by id.
//
// An id is a slot and that slot's generation in one integer below 2^53, so that it fits a JavaScript number and an id whose tensor is
// gone is never mistaken for another's. A tensor is a shape over a storage, or over a piece of one; views share the storage. A plan holds
// the storages its commands point into.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "allocator.h"
#include "tensor.h"

namespace receptive {

class Kept;

// What is kept that kernels made of a tensor, and what says which it is.
struct Made {
  const char* op;
  std::vector<double> form;
  std::weak_ptr<Kept> kept;
  std::shared_ptr<Kept> held;  // the same, where calls outside of plans keep it
};

struct Storage {
  Block* block = nullptr;
  size_t bytes = 0;
  int holders = 0;              // tensors that share it, and plans
  int plans = 0;                // of these: its block must stay where it is
  bool written = false;         // it has contents: a command that uses it was recorded, or it was uploaded
  std::vector<Made> made = {};  // of its contents as they are
  int packed = 0;               // calls in a row that did nothing with it but pack it in one way
  uint64_t packed_as = 0;       // which tells ways apart

  // To be told of whatever may write it.
  void change() {
    made.clear();
    packed = 0;
  }
};

class TensorTable {
 public:
  struct Entry {
    Tensor tensor;
    Storage* storage = nullptr;  // null: the slot is free
    size_t offset = 0;           // bytes into it
    bool piece = false;          // of a storage that others have other pieces of
    void* owner = nullptr;       // the binding's
    uint64_t generation = 1;
    size_t next_free = 0;
  };

  explicit TensorTable(Allocator& allocator) : allocator_(allocator) {}
  ~TensorTable();
  TensorTable(const TensorTable&) = delete;
  TensorTable& operator=(const TensorTable&) = delete;

  // A tensor over the block, which the table puts back when the last of its views is freed. shape has dtype, rank and dims.
  double add(const Tensor& shape, Block* block);
  // Another over the storage of that one; the same number of elements.
  double add_view(const Tensor& shape, Entry& of);
  // Another over so many bytes of it, from the offset on, which lie inside.
  double add_piece(const Tensor& shape, Entry& of, size_t offset);
  // For a plan: the storage stays, where it is, until it is let go.
  static void hold(Storage* storage);
  void let_go(Storage* storage);
  // The entry, its tensor's data current, or null if there is no such tensor (any more). Valid until the next add.
  Entry* find(double id);
  // False if there is no such tensor.
  bool free(double id);
  void clear();

  // body(storage) for each; a storage of several tensors comes up as often.
  template <class Body>
  void each_storage(const Body& body) const {
    for (const Entry& entry : entries_) {
      if (entry.storage != nullptr) body(*entry.storage);
    }
  }

  // body(entry, id) for each tensor; it may free that one.
  template <class Body>
  void each(const Body& body) {
    for (size_t slot = 0; slot < entries_.size(); ++slot) {
      if (entries_[slot].storage != nullptr) body(entries_[slot], id_of(slot));
    }
  }

  int64_t tensors() const { return tensors_; }
  int64_t bytes() const { return bytes_; }  // as their shapes say, a shared storage once
  int64_t peak_bytes() const { return peak_bytes_; }

 private:
  static constexpr uint64_t kMaxSlots = uint64_t{1} << 26;
  static constexpr uint64_t kGenerations = uint64_t{1} << 27;
  static constexpr size_t kNone = SIZE_MAX;

  double id_of(size_t slot) const { return static_cast<double>(entries_[slot].generation * kMaxSlots + slot); }
  double add(const Tensor& shape, Storage* storage, size_t offset, bool piece);
  void release(Storage* storage);

  Allocator& allocator_;
  std::deque<Entry> entries_;  // does not move entries as it grows
  size_t next_free_ = kNone;
  int64_t tensors_ = 0;
  int64_t bytes_ = 0;
  int64_t peak_bytes_ = 0;
};

// The bytes of a tensor, or -1 if they are more than 2^46 or a dimension is not in [0, 2^31). Zero dimensions do not excuse the others.
int64_t checked_bytes(const Tensor& shape);

}  // namespace receptive
