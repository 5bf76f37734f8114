// The tree of verbs as CLI11 apps, from which help, shell completion and the man page are all made.
#pragma once

#include <CLI/CLI.hpp>

#include <memory>
#include <span>
#include <string>

namespace pointsman {

inline constexpr const char* kVersion = "0.1.0";

std::unique_ptr<CLI::App> make_tree(int& exit_code);
// What to say when these words name no verb: which it could have been, or that one is missing; empty when they name one.
std::string unknown_verb(const CLI::App& app, std::span<char* const> words);
// shell: bash, zsh or fish; empty for any other.
std::string completion_of(const CLI::App& app, const std::string& shell);
std::string man_page_of(const CLI::App& app);

}  // namespace pointsman
