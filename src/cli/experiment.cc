// pointsman experiment: a client of pointsman serve.
#include <fmt/ranges.h>
#include <unistd.h>

#include <cmath>

#include "base/clock.h"
#include "base/file.h"
#include "cli/server_option.h"
#include "cli/verb.h"
#include "http/errand.h"
#include "report/progress.h"

namespace pointsman {

namespace {

using nlohmann::json;
using report::Quantity;

struct Options {
  ServerOption server;
  std::string workload, trace, state;
  std::vector<std::string> parameters, arms = {"eevdf"};
  std::optional<double> seconds;
  uint64_t seed = 1;
  int repeats = 1, limit = 20;
  int64_t id = 0;
  bool no_wait = false, processes = false;
  JsonOption json;
};

Result<json> body_of(const Options& options, const std::string& arm) {
  json workload = {{"name", options.workload}};
  if (options.seconds) workload["seconds"] = *options.seconds;
  for (const std::string& text : options.parameters) {
    const size_t equals = text.find('=');
    double value = 0;
    size_t used = 0;
    try {
      if (equals != std::string::npos) value = std::stod(text.substr(equals + 1), &used);
    } catch (const std::exception&) {
      used = 0;
    }
    if (used == 0 || equals + 1 + used != text.size()) return fail(ErrorCode::kInvalidArgument, "--set {}: must be PARAMETER=NUMBER", text);
    workload["parameters"][text.substr(0, equals)] = value;
  }
  return json{{"workload", workload}, {"arm", arm}, {"seed", options.seed}, {"repeats", options.repeats}, {"trace", !options.trace.empty()}};
}

// Until it has ended; its last state.
Result<json> wait_for(const Client& client, int64_t id, const std::string& label) {
  const SystemClock clock;
  report::ProgressOptions line;
  line.label = label;
  std::optional<report::Progress> progress;
  auto last = wait_for_experiment(client, id, [&](const std::string& name, const json& data) {
    if (name == "experiment" && !progress && data.value("state", "") == "running") {
      line.total = data.value("repeats", 1);
      progress.emplace(line, clock);
    }
    if (name == "repeat" && progress) progress->advance(1, "");
  });
  if (progress) progress->finish();
  return last;
}

report::Cell cell_of(const json& row, const char* key) {
  const auto found = row.find(key);
  return found != row.end() && found->is_number() ? report::Cell(found->get<double>()) : report::Cell();
}

std::string workload_of(const json& experiment) {
  const json workload = experiment.value("workload", json::object());
  if (workload.contains("exec")) return fmt::format("{}", fmt::join(workload.at("exec").get<std::vector<std::string>>(), " "));
  return workload.value("name", "");
}

// One row an arm: the summary's means, and how much they vary.
report::Table comparison(const std::string& title, const std::vector<json>& results) {
  report::Table table(title, {{"id", "id"}, {"arm", "arm"}, {"state", "state"}, {"repeats", "repeats", Quantity::kCount}, {"geo_slowdown", "slowdown", Quantity::kNumber, 3},
                              {"mean_tat_s", "TAT", Quantity::kSeconds}, {"tat_cv", "CV of TAT", Quantity::kPercent}, {"mean_rt_s", "RT", Quantity::kSeconds},
                              {"cv_fairness", "CV fairness", Quantity::kNumber, 3}, {"seed_l", "L", Quantity::kNumber, 3}, {"makespan_s", "makespan", Quantity::kSeconds}});
  for (const json& result : results) {
    const json &experiment = result.at("experiment"), &summary = result.at("summary");
    const auto mean = [&](const char* name, const char* what = "mean") { return summary.contains(name) ? cell_of(summary.at(name), what) : report::Cell(); };
    table.add({std::to_string(experiment.value("id", int64_t{0})), experiment.value("arm", ""), experiment.value("state", ""), experiment.value("repeats_done", 0), mean("geo_slowdown"),
               mean("mean_tat_s"), mean("mean_tat_s", "cv"), mean("mean_rt_s"), mean("cv_fairness"), mean("seed_l"), mean("makespan_s")});
    if (experiment.contains("error")) table.notes.push_back(fmt::format("{}: {}", experiment.value("id", int64_t{0}), experiment.at("error").value("message", "")));
  }
  return table;
}

// Everything that varies from repeat to repeat, as the tables of such experiments have it.
report::Table summary_table(const json& result) {
  const json& experiment = result.at("experiment");
  report::Table table(fmt::format("experiment {}: {} under {}, seed {}: {}", experiment.value("id", int64_t{0}), workload_of(experiment), experiment.value("arm", ""),
                                  experiment.value("seed", uint64_t{0}), experiment.value("state", "")),
                      {{"name", "name"}, {"mean", "mean", Quantity::kNumber, 6}, {"std", "std", Quantity::kNumber, 6}, {"cv", "CV", Quantity::kPercent}, {"min", "min", Quantity::kNumber, 6}, {"max", "max", Quantity::kNumber, 6}});
  for (const auto& [name, row] : result.at("summary").items())
    table.add({name, cell_of(row, "mean"), cell_of(row, "std"), cell_of(row, "cv"), cell_of(row, "min"), cell_of(row, "max")});
  if (experiment.contains("error")) table.notes.push_back(experiment.at("error").value("message", ""));
  if (!result.at("repeats").empty()) {
    const json& first = result.at("repeats").front();
    for (const json& note : first.value("notes", json::array()))
      if (note.is_string()) table.notes.push_back(note.get<std::string>());
    const json absent = first.value("absent", json::object());
    for (const auto& [name, why] : absent.items()) table.notes.push_back(fmt::format("{}: {}", name, why.is_string() ? why.get<std::string>() : ""));
  }
  return table;
}

report::Table process_table(const json& repeat) {
  report::Table table("processes of the first repeat", {{"PID", "PID"}, {"T_Arrival", "T_Arrival", Quantity::kNumber, 6}, {"T_First_CPU", "T_First_CPU", Quantity::kNumber, 6},
                                                        {"T_Completion", "T_Completion", Quantity::kNumber, 6}, {"TAT", "TAT", Quantity::kNumber, 6}, {"RT", "RT", Quantity::kNumber, 6},
                                                        {"Total_CPU_Time", "Total_CPU_Time", Quantity::kNumber, 6}, {"command", "command"}});
  for (const json& row : repeat.value(json::json_pointer("/processes/rows"), json::array())) {
    const double pid = row.contains("PID") && row["PID"].is_number() ? row["PID"].get<double>() : 0;
    table.add({fmt::format("{:.0f}", pid), cell_of(row, "T_Arrival"), cell_of(row, "T_First_CPU"), cell_of(row, "T_Completion"), cell_of(row, "TAT"), cell_of(row, "RT"), cell_of(row, "Total_CPU_Time"),
               row.value("command", "")});
  }
  return table;
}

Result<Unit> fetch_trace(const Client& client, int64_t id, const std::string& file) {
  auto reply = client.ask({.target = fmt::format("/v1/experiments/{}/trace", id)});
  if (!reply) return fail(reply.error());
  if (reply->status != 200) return fail(refusal_of(*reply));
  return write_file(file, reply->body);
}

Result<Unit> run(const Options& options) {
  auto client = options.server.client();
  if (!client) return fail(client.error());
  std::vector<json> bodies;
  for (const std::string& arm : options.arms) {
    auto body = body_of(options, arm);
    if (!body) return fail(body.error());
    bodies.push_back(std::move(*body));
  }
  std::vector<json> results;
  json shown = json::array();
  bool failed = false;
  for (size_t i = 0; i < bodies.size(); ++i) {
    auto id = submit_experiment(*client, bodies[i]);
    if (!id) return fail(id.error());
    if (options.no_wait) {
      shown.push_back({{"id", *id}, {"arm", options.arms[i]}});
      continue;
    }
    auto ended = wait_for(*client, *id, fmt::format("{} under {}", options.workload, options.arms[i]));
    if (!ended) return fail(ended.error());
    auto result = result_of_experiment(*client, *id);
    if (!result) return fail(result.error());
    failed = failed || ended->value("state", "") != "done";
    if (!options.trace.empty()) {
      if (auto fetched = fetch_trace(*client, *id, options.arms.size() == 1 ? options.trace : fmt::format("{}.{}", options.trace, options.arms[i])); !fetched) return fetched;
    }
    shown.push_back(*result);
    results.push_back(std::move(*result));
  }
  std::string text;
  if (options.no_wait) {
    for (const json& one : shown) text += fmt::format("experiment {}: {} under {}\n", one.at("id").get<int64_t>(), options.workload, one.at("arm").get<std::string>());
  } else {
    text = comparison(fmt::format("{} seed {}", options.workload, options.seed), results).text({.color = report::wants_color(STDOUT_FILENO)});
  }
  if (auto emitted = report::emit(text, shown, options.json.emit()); !emitted) return emitted;
  if (failed) return fail(ErrorCode::kIo, "not every experiment was done");
  return Unit{};
}

Result<Unit> list(const Options& options) {
  auto client = options.server.client();
  if (!client) return fail(client.error());
  auto page = client->ask_json({.target = fmt::format("/v1/experiments?limit={}{}", options.limit, options.state.empty() ? "" : "&state=" + options.state)});
  if (!page) return fail(page.error());
  report::Table table("experiments", {{"id", "id"}, {"state", "state"}, {"workload", "workload"}, {"arm", "arm"}, {"seed", "seed"}, {"repeats", "repeats"}, {"created", "created"}, {"error", "error"}});
  for (const json& e : page->value("experiments", json::array()))
    table.add({std::to_string(e.value("id", int64_t{0})), e.value("state", ""), workload_of(e), e.value("arm", ""), std::to_string(e.value("seed", uint64_t{0})),
               fmt::format("{}/{}", e.value("repeats_done", 0), e.value("repeats", 0)), e.value("created", ""), e.value(json::json_pointer("/error/message"), std::string())});
  return report::emit(table, options.json.emit());
}

Result<Unit> show(const Options& options) {
  auto client = options.server.client();
  if (!client) return fail(client.error());
  auto experiment = client->ask_json({.target = fmt::format("/v1/experiments/{}", options.id)});
  if (!experiment) return fail(experiment.error());
  if (!experiment->contains("ended"))
    return report::emit(fmt::format("experiment {} is {}, {} of {} repeats done\n", options.id, experiment->value("state", ""), experiment->value("repeats_done", 0), experiment->value("repeats", 0)), *experiment,
                        options.json.emit());
  if (!options.trace.empty()) {
    if (auto fetched = fetch_trace(*client, options.id, options.trace); !fetched) return fetched;
  }
  auto result = result_of_experiment(*client, options.id);
  if (!result) return fail(result.error());
  std::string text = summary_table(*result).text({.color = report::wants_color(STDOUT_FILENO)});
  if (options.processes && !result->at("repeats").empty()) text += "\n" + process_table(result->at("repeats").front()).text({.color = report::wants_color(STDOUT_FILENO)});
  return report::emit(text, *result, options.json.emit());
}

Result<Unit> cancel(const Options& options) {
  auto client = options.server.client();
  if (!client) return fail(client.error());
  auto experiment = cancel_experiment(*client, options.id);
  if (!experiment) return fail(experiment.error());
  return report::emit(fmt::format("experiment {}: {}\n", options.id, experiment->value("cancelling", false) ? "is being cancelled" : experiment->value("state", "")), *experiment, options.json.emit());
}

// Answers of a server that are of another form than ours would be are no reason to end without a word.
template <typename Body>
void call(Body body, const Options& options, int& exit_code) {
  Result<Unit> done = Unit{};
  try {
    done = body(options);
  } catch (const json::exception& error) {
    done = fail(ErrorCode::kCorrupt, "the server's answer: {}", error.what());
  }
  if (!done) exit_code = report_error(done.error());
}

}  // namespace

void add_experiment_run(CommandLine& app, int& exit_code) {
  auto options = std::make_shared<Options>();
  options->server.add(app);
  app.add_option("--workload", options->workload, "Family, scenario, or 'nothing'; GET /v1/workloads lists them").required().type_name("NAME");
  app.add_option("--set", options->parameters, "A parameter of the family; may be repeated").type_name("PARAMETER=NUMBER").one_each();
  app.add_option("--seconds", options->seconds, "How long work arrives (default: the workload's own)").type_name("S");
  app.add_option("--arm", options->arms, "Arms, separated by commas: one experiment each, side by side").delimiter(',').capture_default_str().type_name("ARM[,ARM]");
  app.add_option("--seed", options->seed, "Seed of the workload: the same for every arm").capture_default_str();
  app.add_option("--repeats", options->repeats, "How often").capture_default_str();
  app.add_option("--trace", options->trace, "Record the first repeat for ui.perfetto.dev").type_name("FILE");
  app.add_flag("--no-wait", options->no_wait, "Queue and go");
  options->json.add(app);
  app.footer(examples({{"pointsman experiment run --workload pareto --arm eevdf,las --repeats 10", "two arms on this machine's server, side by side"},
                       {"pointsman experiment run --server http://box:8765 --token-file token --workload build --repeats 50 --no-wait", "queue it on another machine and go"}}));
  app.callback([options, &exit_code] { call(run, *options, exit_code); });
}

void add_experiment_list(CommandLine& app, int& exit_code) {
  auto options = std::make_shared<Options>();
  options->server.add(app);
  app.add_option("--state", options->state, "Only those").one_of({"queued", "running", "done", "failed", "cancelled", "aborted"});
  app.add_option("--limit", options->limit, "At most so many, newest first").capture_default_str().between(1, 1000);
  options->json.add(app);
  app.footer(examples({{"pointsman experiment list --state queued", "what waits"}}));
  app.callback([options, &exit_code] { call(list, *options, exit_code); });
}

void add_experiment_show(CommandLine& app, int& exit_code) {
  auto options = std::make_shared<Options>();
  options->server.add(app);
  app.add_option("id", options->id, "Number of the experiment").required().between(int64_t{1}, int64_t{1} << 53).type_name("ID");
  app.add_flag("--processes", options->processes, "The table of processes too");
  app.add_option("--trace", options->trace, "Fetch its trace").type_name("FILE");
  options->json.add(app);
  app.footer(examples({{"pointsman experiment show 7 --processes", "every cost and T_* feature, its mean and how much it varies; every process"}}));
  app.callback([options, &exit_code] { call(show, *options, exit_code); });
}

void add_experiment_cancel(CommandLine& app, int& exit_code) {
  auto options = std::make_shared<Options>();
  options->server.add(app);
  app.add_option("id", options->id, "Number of the experiment").required().between(int64_t{1}, int64_t{1} << 53).type_name("ID");
  options->json.add(app);
  app.callback([options, &exit_code] { call(cancel, *options, exit_code); });
}

}  // namespace pointsman
