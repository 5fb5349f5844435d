#include "tensor_table.h"

#include <algorithm>
#include <memory>
#include <new>

namespace receptive {

int64_t checked_bytes(const Tensor& shape) {
  constexpr int64_t kMaxBytes = int64_t{1} << 46;
  int64_t product = static_cast<int64_t>(size_of(shape.dtype));
  bool empty = false;
  for (int i = 0; i < shape.rank; ++i) {
    const int64_t dim = shape.dims[i];
    if (dim < 0 || dim > INT32_MAX) return -1;
    if (dim == 0) {
      empty = true;
      continue;
    }
    if (product > kMaxBytes / dim) return -1;
    product *= dim;
  }
  return empty ? 0 : product;
}

TensorTable::~TensorTable() { clear(); }

double TensorTable::add(const Tensor& shape, Block* block) {
  auto storage = std::make_unique<Storage>();
  storage->block = block;
  storage->bytes = static_cast<size_t>(checked_bytes(shape));
  const double id = add(shape, storage.get(), 0, false);
  bytes_ += static_cast<int64_t>(storage.release()->bytes);
  peak_bytes_ = std::max(peak_bytes_, bytes_);
  return id;
}

double TensorTable::add_view(const Tensor& shape, Entry& of) { return add(shape, of.storage, of.offset, of.piece); }

double TensorTable::add_piece(const Tensor& shape, Entry& of, size_t offset) { return add(shape, of.storage, of.offset + offset, true); }

double TensorTable::add(const Tensor& shape, Storage* storage, size_t offset, bool piece) {
  size_t slot = next_free_;
  if (slot == kNone) {
    slot = entries_.size();
    if (slot == kMaxSlots) throw std::bad_alloc();
    entries_.emplace_back();
  } else {
    next_free_ = entries_[slot].next_free;
  }
  Entry& entry = entries_[slot];
  entry.tensor = shape;
  entry.storage = storage;
  entry.offset = offset;
  entry.piece = piece;
  ++storage->holders;
  ++tensors_;
  return id_of(slot);
}

TensorTable::Entry* TensorTable::find(double id) {
  if (!(id >= 0 && id < 0x1p53)) return nullptr;
  const auto bits = static_cast<uint64_t>(id);
  const size_t slot = bits % kMaxSlots;
  if (static_cast<double>(bits) != id || slot >= entries_.size()) return nullptr;
  Entry& entry = entries_[slot];
  if (entry.storage == nullptr || entry.generation != bits / kMaxSlots) return nullptr;
  entry.tensor.data = static_cast<unsigned char*>(entry.storage->block->data) + entry.offset;  // an upload may have moved the storage
  return &entry;
}

bool TensorTable::free(double id) {
  Entry* const entry = find(id);
  if (entry == nullptr) return false;
  Storage* const storage = entry->storage;
  entry->storage = nullptr;
  entry->owner = nullptr;
  --tensors_;
  if (++entry->generation < kGenerations) {  // else the slot is not used again
    entry->next_free = next_free_;
    next_free_ = static_cast<size_t>(static_cast<uint64_t>(id) % kMaxSlots);
  }
  release(storage);
  return true;
}

void TensorTable::release(Storage* storage) {
  if (--storage->holders > 0) return;
  bytes_ -= static_cast<int64_t>(storage->bytes);
  allocator_.put(storage->block);
  delete storage;
}

void TensorTable::hold(Storage* storage) {
  ++storage->holders;
  ++storage->plans;
}

void TensorTable::let_go(Storage* storage) {
  --storage->plans;
  release(storage);
}

void TensorTable::clear() {
  each([this](const Entry&, double id) { free(id); });
}

}  // namespace receptive
