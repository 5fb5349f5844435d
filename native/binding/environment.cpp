#include "environment.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "../runtime/pool.h"
#include "../runtime/sanitizers.h"
#include "arguments.h"

namespace receptive {

namespace {

// What a tensor costs beside its elements: its wrapper, its owner's reference, its entry.
constexpr int64_t kOverhead = 512;
// Bytes made between two looks for collected owners. The others keep a look's cost, some tens of nanoseconds a tensor, small beside it.
constexpr int64_t kSweepStep = int64_t{8} << 20;
constexpr int64_t kSweepStepPerTensor = 64;
constexpr int64_t kSweepStepOfHeld = 8;  // a part of what is held
// V8 hears of less memory when so much was garbage, or when this many times what it has heard of was made and less was ever held.
constexpr int64_t kGarbageToTell = int64_t{32} << 20;
constexpr int64_t kMadeToTell = 4;
// What may be held beyond 1.5 times the least held lately before V8 is made to collect: at first, and at most.
constexpr int64_t kLeastGarbage = int64_t{56} << 20;
constexpr int64_t kMostGarbage = int64_t{1} << 30;

class HandleScope {
 public:
  explicit HandleScope(napi_env env) : env_(env) { check(env, napi_open_handle_scope(env, &scope_)); }
  ~HandleScope() { napi_close_handle_scope(env_, scope_); }

 private:
  napi_env env_;
  napi_handle_scope scope_;
};

// Whether that is the message of an error.
bool says(napi_env env, napi_value error, const char* message) {
  bool is = false;
  napi_value value = nullptr;
  char text[64] = "";
  if (napi_is_error(env, error, &is) != napi_ok || !is) return false;
  check(env, napi_get_named_property(env, error, "message", &value));
  return napi_get_value_string_utf8(env, value, text, sizeof text, nullptr) == napi_ok && std::strcmp(text, message) == 0;
}

// Results that are there already and no larger are copied on JavaScript's thread: sooner done than two changes of threads. Not many in a
// row: a loop that awaits them would never let the event loop come round.
constexpr size_t kReadAtOnce = size_t{1} << 16;
constexpr int kReadsAtOnce = 4;

BindingError kernel_error(const std::string& failure) { return {BindingError::Type::plain, "ERR_KERNEL", failure}; }

}  // namespace

// A read that JavaScript waits for. The stream writes native memory, never an ArrayBuffer, which JavaScript could detach meanwhile.
struct Environment::Read {
  Environment* environment;
  napi_deferred deferred = nullptr;
  Block* block = nullptr;  // null: undefined is read
  size_t bytes = 0;
  std::string failure;

  explicit Read(Environment* environment) : environment(environment) {}
  Read(const Read&) = delete;
  Read& operator=(const Read&) = delete;
  ~Read() {
    if (block != nullptr) environment->allocator_.put(block);
  }
};

void Environment::attach(napi_env env) {
  std::unique_ptr<Environment> self(new Environment(env));
  napi_value name, global, constructor;
  check(env, napi_create_string_utf8(env, "receptive read", NAPI_AUTO_LENGTH, &name));
  check(env, napi_create_threadsafe_function(env, nullptr, nullptr, name, 0, 1, nullptr, nullptr, self.get(), on_settled, &self->settled_));
  check(env, napi_unref_threadsafe_function(env, self->settled_));
  check(env, napi_get_global(env, &global));
  check(env, napi_get_named_property(env, global, "ArrayBuffer", &constructor));
  check(env, napi_create_reference(env, constructor, 1, &self->array_buffer_));
  check(env, napi_set_instance_data(
                 env, self.get(), [](napi_env, void* data, void*) { delete static_cast<Environment*>(data); }, nullptr));
  Environment* const kept = self.release();
  // Hooks run last in, first out: the stream stops before Node takes the thread-safe function down.
  check(env, napi_add_env_cleanup_hook(
                 env, [](void* data) { static_cast<Environment*>(data)->close(); }, kept));
}

Environment& Environment::of(napi_env env) {
  void* data = nullptr;
  napi_get_instance_data(env, &data);
  return *static_cast<Environment*>(data);
}

Environment::Environment(napi_env env)
    : env_(env),
      stream_([this](bool rested) { rested ? allocator_.trim() : allocator_.trim_unused(); }),
      allocator_(stream_.completed_counter(), RECEPTIVE_ASAN),
      tensors_(allocator_),
      allowed_garbage_(kLeastGarbage) {
  Pool::shared().acquire();
}

Environment::~Environment() { close(); }

// After this nothing of the environment's is used by another thread, and no finalizer of an owner will be called.
void Environment::close() {
  if (std::exchange(closed_, true)) return;
  stream_.stop();
  reads_.clear();
  if (settled_ != nullptr) napi_release_threadsafe_function(settled_, napi_tsfn_abort);
  if (array_buffer_ != nullptr) napi_delete_reference(env_, array_buffer_);
  if (capture_ != nullptr) let_go(*capture_->plan);
  for (const auto& [id, plan] : plans_) let_go(*plan);
  capture_.reset();
  plans_.clear();
  retired_.clear();
  tensors_.each([this](TensorTable::Entry& entry, double) { forget_owner(entry); });
  tensors_.clear();
  Pool::shared().release();
}

// ---- Memory

Block* Environment::acquire(size_t bytes, bool for_host) {
  const auto take = [&] { return for_host ? allocator_.take_idle(bytes) : allocator_.take(bytes); };
  Block* block = take();
  if (block == nullptr) {  // commands that have yet to run may hold what is missing
    stream_.wait(stream_.recorded());
    block = take();
  }
  if (block == nullptr) {
    drop_kept();
    collect_garbage();
    block = take();
  }
  if (block == nullptr) {
    throw BindingError(BindingError::Type::range, "ERR_OUT_OF_MEMORY",
                       "receptive: out of memory: no " + std::to_string(bytes) + " bytes for a tensor (" +
                           std::to_string(tensors_.bytes()) + " bytes in " + std::to_string(tensors_.tensors()) + " tensors in use)");
  }
  stream_.renew(block);
  return block;
}

void Environment::trim() {
  drop_kept();
  const auto run = [](Allocator* const& allocator, Context&) { allocator->trim(); };
  stream_.record(Command::of<Allocator*>(run, &allocator_));
}

double Environment::create(napi_value owner, const Tensor& shape) {
  const auto bytes = static_cast<size_t>(checked_bytes(shape));
  made(static_cast<int64_t>(bytes) + kOverhead);
  Block* const block = acquire(bytes, false);
  double id;
  try {
    id = tensors_.add(shape, block);
  } catch (...) {
    allocator_.put(block);
    throw;
  }
  own(owner, id);
  return id;
}

double Environment::view(napi_value owner, const Tensor& shape, double id) {
  const double view = tensors_.add_view(shape, tensor(id));
  own(owner, view);
  made(kOverhead);  // last: the viewed tensor's owner may be collected in it
  return view;
}

double Environment::piece(napi_value owner, const Tensor& shape, double id, size_t offset) {
  const double piece = tensors_.add_piece(shape, tensor(id), offset);
  own(owner, piece);
  made(kOverhead);
  return piece;
}

void Environment::free(double id) {
  forget_owner(tensor(id));
  tensors_.free(id);
}

TensorTable::Entry& Environment::tensor(double id) {
  TensorTable::Entry* const entry = tensors_.find(id);
  if (entry == nullptr) throw BindingError(BindingError::Type::type, "ERR_DISPOSED", "receptive: no such tensor, or it was disposed of");
  return *entry;
}

// The reference is weak: it tells when the owner was collected, and its finalizer frees the tensor if nobody has by then.
void Environment::own(napi_value owner, double id) {
  napi_ref reference = nullptr;
  void* const hint = reinterpret_cast<void*>(static_cast<uintptr_t>(id));
  const napi_status status = napi_add_finalizer(env_, owner, this, on_collected, hint, &reference);
  if (status != napi_ok) {
    tensors_.free(id);
    check(env_, status);
  }
  tensors_.find(id)->owner = reference;
}

void Environment::on_collected(napi_env, void* self, void* id) {
  auto* const environment = static_cast<Environment*>(self);
  const int64_t before = environment->held();
  environment->free(static_cast<double>(reinterpret_cast<uintptr_t>(id)));
  environment->collected_ += before - environment->held();
}

void Environment::forget_owner(TensorTable::Entry& entry) {
  if (void* const owner = std::exchange(entry.owner, nullptr)) napi_delete_reference(env_, static_cast<napi_ref>(owner));
}

// To be called for each tensor made, with the bytes it holds: now and then it looks for collected owners.
void Environment::made(int64_t bytes) {
  made_since_sweep_ += bytes;
  most_held_ = std::max(most_held_, held());
  if (made_since_sweep_ <= kSweepStep + kSweepStepPerTensor * tensors_.tensors() + held() / kSweepStepOfHeld) return;
  made_since_report_ += made_since_sweep_;
  sweep();
  report_memory();
  if (held() > least_held_ / 2 * 3 + allowed_garbage_) collect_garbage();
}

// Frees the tensors whose owners were collected. Node calls finalizers from the event loop only, so a synchronous loop would never see
// one; this asks each owner's reference instead.
void Environment::sweep() {
  made_since_sweep_ = 0;
  const int64_t before = held();
  const HandleScope scope(env_);
  tensors_.each([this](const TensorTable::Entry& entry, double id) {
    napi_value owner = nullptr;
    if (napi_get_reference_value(env_, static_cast<napi_ref>(entry.owner), &owner) == napi_ok && owner == nullptr) free(id);
  });
  collected_ += before - held();
  least_held_ = std::min(least_held_, held());
}

// V8 starts to collect by itself 64 MiB after it last did, but takes its time, in which a fast loop makes a lot more. More external
// memory than any heap may have makes it do so at once. Where that frees little, what came and went was no garbage (a training step's
// activations), and next time there may be twice as much of it.
void Environment::collect_garbage() {
  constexpr int64_t kTooMuch = int64_t{1} << 44;
  int64_t total = 0;
  const int64_t before = held();
  napi_adjust_external_memory(env_, kTooMuch, &total);
  napi_adjust_external_memory(env_, -kTooMuch, &total);
  sweep();
  least_held_ = held();
  allowed_garbage_ = before - held() < kLeastGarbage / 2 ? std::min(2 * allowed_garbage_, kMostGarbage) : kLeastGarbage;
}

int64_t Environment::held() const { return tensors_.bytes() + kOverhead * tensors_.tensors(); }

// Tells V8 how much memory hangs on its objects, which is what makes it collect them; it may do so during the call. It is told of the most
// that was held lately: from step to step a training holds and frees the same, and V8 would collect all the time if it heard of that.
// Where garbage was collected it is told of what is left, and collects again when as much has come up.
void Environment::report_memory() {
  const bool fewer = collected_ >= kGarbageToTell;
  if (!fewer && made_since_report_ < kMadeToTell * reported_ && most_held_ <= reported_) return;
  const int64_t change = (fewer ? held() : most_held_) - reported_;
  reported_ += change;
  if (fewer) collected_ = 0;
  if (change <= 0) made_since_report_ = 0, most_held_ = held();
  int64_t total = 0;
  napi_adjust_external_memory(env_, change, &total);
}

// ---- Data in and out

void Environment::upload(double id, const void* bytes) {
  const Storage& used = *tensor(id).storage;
  if (used.plans > 0) {
    stream_.wait(stream_.recorded());  // commands of plans point there
  } else if (used.block->last_use > stream_.completed()) {
    // Commands recorded before still want the old contents. The new ones go to other memory, the old memory back to the cache.
    Block* block = acquire(used.bytes, true);
    TensorTable::Entry* const entry = tensors_.find(id);  // again: acquire may collect garbage
    if (entry != nullptr) std::swap(entry->storage->block, block);
    allocator_.put(block);
  }
  Storage& storage = *tensor(id).storage;
  if (storage.bytes > 0) std::memcpy(storage.block->data, bytes, storage.bytes);
  storage.block->failure = nullptr;
  stream_.renew(storage.block);
  storage.written = true;
  storage.change();
}

// Made by the constructor, which throws when there is no memory (an error without a code); napi_create_arraybuffer ends the process.
napi_value Environment::new_array_buffer(size_t bytes, void** data) {
  napi_value constructor, length, buffer;
  check(env_, napi_get_reference_value(env_, array_buffer_, &constructor));
  check(env_, napi_create_double(env_, static_cast<double>(bytes), &length));
  const napi_status status = napi_new_instance(env_, constructor, 1, &length, &buffer);
  if (status == napi_pending_exception) {
    napi_value error;
    check(env_, napi_get_and_clear_last_exception(env_, &error));
    if (!says(env_, error, "Array buffer allocation failed")) {
      check(env_, napi_throw(env_, error));
      throw Pending{};
    }
    throw BindingError(BindingError::Type::range, "ERR_OUT_OF_MEMORY",
                       "receptive: out of memory: no " + std::to_string(bytes) + " bytes for an ArrayBuffer");
  }
  check(env_, status);
  size_t made = 0;
  check(env_, napi_get_arraybuffer_info(env_, buffer, data, &made));
  if (made != bytes) throw BindingError(BindingError::Type::plain, "ERR_NODE_API", "receptive: ArrayBuffer was replaced");
  return buffer;
}

void Environment::check_left_out(const Uses& blocks) {
  const std::string failure = stream_.left_out(blocks);
  if (!failure.empty()) throw kernel_error(failure);
}

uint64_t Environment::record_read(double id, void* destination, Stream::Done done, void* data) {
  if (id == 0) return stream_.sync(done, data);
  const Storage& storage = *tensor(id).storage;
  return storage.block->last_use = stream_.read(destination, *storage.block, destination != nullptr ? storage.bytes : 0, done, data);
}

napi_value Environment::read(double id) {
  if (id == 0) return settled(id);
  const Storage& storage = *tensor(id).storage;
  if (storage.bytes <= kReadAtOnce && read_at_once_ < kReadsAtOnce && storage.block->last_use <= stream_.completed()) {
    ++read_at_once_;
    napi_deferred deferred;
    napi_value promise;
    check(env_, napi_create_promise(env_, &deferred, &promise));
    conclude(deferred, outcome(tell(storage.block->failure), storage.block->data, storage.bytes));
    return promise;
  }
  auto read = std::make_unique<Read>(this);
  read->bytes = storage.bytes;
  read->block = acquire(read->bytes, false);
  return promise(std::move(read), id);
}

napi_value Environment::settled(double id) { return promise(std::make_unique<Read>(this), id); }

napi_value Environment::promise(std::unique_ptr<Read> owned, double id) {
  Read* const read = owned.get();
  napi_value promise;
  check(env_, napi_create_promise(env_, &read->deferred, &promise));
  if (reads_.empty()) check(env_, napi_ref_threadsafe_function(env_, settled_));
  reads_.emplace(read, std::move(owned));
  const auto done = [](void* self, std::string failure) {
    auto* const finished = static_cast<Read*>(self);
    finished->failure = std::move(failure);
    napi_call_threadsafe_function(finished->environment->settled_, finished, napi_tsfn_nonblocking);
  };
  try {
    const uint64_t number = record_read(id, read->block != nullptr ? read->block->data : nullptr, done, read);
    if (read->block != nullptr) read->block->last_use = number;
  } catch (...) {
    forget_read(read);
    throw;
  }
  return promise;
}

void Environment::forget_read(Read* read) {
  reads_.erase(read);
  if (reads_.empty()) check(env_, napi_unref_threadsafe_function(env_, settled_));
}

void Environment::on_settled(napi_env env, napi_value, void* context, void* data) {
  if (env == nullptr) return;  // the environment is closing, and has freed its reads
  try {
    static_cast<Environment*>(context)->settle(static_cast<Read*>(data));
  } catch (...) {
    throw_caught(env);
  }
}

void Environment::settle(Read* read) {
  read_at_once_ = 0;
  const napi_deferred deferred = read->deferred;
  const Outcome result = outcome(read->failure, read->block != nullptr ? read->block->data : nullptr, read->bytes);
  forget_read(read);
  conclude(deferred, result);
}

Environment::Outcome Environment::outcome(const std::string& failure, const void* data, size_t bytes) {
  Outcome outcome{true, nullptr};
  try {
    if (!failure.empty()) throw kernel_error(failure);
    void* copy = nullptr;
    if (data != nullptr) {
      outcome.value = new_array_buffer(bytes, &copy);
      if (bytes > 0) std::memcpy(copy, data, bytes);
    } else {
      check(env_, napi_get_undefined(env_, &outcome.value));
    }
  } catch (...) {
    throw_caught(env_);
    outcome.resolved = false;
    check(env_, napi_get_and_clear_last_exception(env_, &outcome.value));
  }
  return outcome;
}

void Environment::conclude(napi_deferred deferred, const Outcome& outcome) {
  check(env_,
        outcome.resolved ? napi_resolve_deferred(env_, deferred, outcome.value) : napi_reject_deferred(env_, deferred, outcome.value));
}

napi_value Environment::read_sync(double id) {
  napi_value result;
  void* destination = nullptr;
  if (id != 0) {
    result = new_array_buffer(tensor(id).storage->bytes, &destination);
  } else {
    check(env_, napi_get_undefined(env_, &result));
  }
  std::string failure;
  const auto done = [](void* out, std::string message) { *static_cast<std::string*>(out) = std::move(message); };
  stream_.wait(record_read(id, destination, done, &failure));
  if (!failure.empty()) throw kernel_error(failure);
  return result;
}

}  // namespace receptive
