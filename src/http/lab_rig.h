// LabRig: experiments in the exact lab: each repeat is one fork of one saved guest, another draw of the moment at which the same work starts. Exact, and apart from
// whatever this machine does meanwhile; in exchange the guest's metrics are the probe's alone.
// Threads: one. Owns: the saved guest.
#pragma once

#include <memory>
#include <string>

#include "http/rig.h"
#include "lab/ledger_run.h"
#include "lab/snapshot.h"
#include "store/ledger.h"

namespace pointsman {

class LabRig : public Rig {
 public:
  struct Options {
    std::string kernel{};  // its release
    int cpus = 4;
    std::string ledger{};  // where runs are kept; empty: nowhere
    int cancel_fd = -1;    // a signalfd, which the machines watch: readable once a repeat is to end
    size_t process_rows = 10'000;  // in the results of all repeats of an experiment together
    size_t windows = 2'000;        // the same
  };
  // Borrows the catalogue. Errors: those of the ledger.
  static Result<std::unique_ptr<Rig>> open(GuestSnapshot snapshot, Identities identities, Options options, const Catalogue& catalogue);

  [[nodiscard]] const RigInfo& info() const override { return info_; }
  Result<RepeatResult> run(const RepeatRequest& request, const std::atomic<bool>& cancel) override;

 private:
  LabRig(GuestSnapshot snapshot, Identities identities, Options options, const Catalogue& catalogue)
      : snapshot_(std::move(snapshot)), identities_(std::move(identities)), options_(std::move(options)), catalogue_(catalogue) {}

  GuestSnapshot snapshot_;
  Identities identities_;
  Options options_;
  const Catalogue& catalogue_;
  RigInfo info_;
  std::unique_ptr<Ledger> ledger_;
};

}  // namespace pointsman
