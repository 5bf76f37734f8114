// Errand: one experiment from the client's side: queued, waited for through its events, its result fetched. A connection that breaks is made anew: the idempotency
// key makes that safe, and the server's queue survives its restarts.
// Errors: those of Client; kCorrupt (the server's answer is of another form).
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>

#include "http/client.h"

namespace pointsman {

Result<int64_t> submit_experiment(const Client& client, const nlohmann::json& body);
// Until it has ended; its last state. `on_event` gets each event's name and data.
Result<nlohmann::json> wait_for_experiment(const Client& client, int64_t id, const std::function<void(const std::string& name, const nlohmann::json& data)>& on_event);
Result<nlohmann::json> result_of_experiment(const Client& client, int64_t id);
Result<nlohmann::json> cancel_experiment(const Client& client, int64_t id);

}  // namespace pointsman
