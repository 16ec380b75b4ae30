// What releases, rollouts and devices' updates are called.

/** The codes of docs/ota.md: why a hub or a device refuses a release. */
const REFUSALS = {
  bad_manifest: "the manifest is not one",
  too_long: "a part is longer than it may be",
  unknown_format: "it is of a format that is not known here",
  wrong_variant: "it is for other firmware",
  wrong_board: "it is for other boards",
  wrong_abi: "it is for another MicroPython or chip",
  expired: "it has expired",
  lower_security_version: "it is older than what may still run",
  unknown_key: "it is signed by a key that is not trusted",
  too_few_signatures: "too few of the trusted keys signed it",
  bad_signature: "a signature is wrong",
  bad_keyset: "its key set is not one that the keys before it signed",
  keyset_gap: "a key set between the trusted one and its own is missing",
  bad_path: "a file has a name that is not allowed",
  bad_size: "a file has another size than the manifest says",
  bad_hash: "a file is not the one that was signed",
  no_space: "there is no room for it",
  bad_answer: "the update server answered what makes no sense",
  bad_range: "the update server sent another part of a file than was asked for",
  too_slow: "it came too slowly",
  no_network: "the update server could not be reached",
};

/** A code in words, or null where it is none. */
export const refusal = (code) => (Object.hasOwn(REFUSALS, code) ? REFUSALS[code] : null);

/** "bad_hash" -> "A file is not the one that was signed (bad_hash)."; other text stays as it is. */
export function reason(text) {
  const words = refusal(text);
  return words ? `${words[0].toUpperCase()}${words.slice(1)} (${text}).` : text;
}

const ACTIONS = {
  planned: "waiting for its stage",
  offered: "offered",
  running: "updating",
  canceling: "asked to give it up",
  success: "updated",
  failure: "failed",
  canceled: "canceled",
};

/** The state of one device's update within a rollout. */
export const actionWord = (state) => ACTIONS[state] ?? state;

const COUNTED = { planned: "waiting", canceling: "giving it up" };

/** The states in the order in which a rollout counts them. */
export const ACTION_STATES = ["success", "running", "offered", "planned", "canceling", "failure", "canceled"];

// What a device says of its update, over the link or to the update server: [words, whether it goes on].
const DEVICE = {
  downloading: ["downloading", true],
  installing: ["installing", true],
  restarting: ["restarting", true],
  trial: ["on trial: it must hear, and reach the hub", true],
  kept: ["tried and kept", false],
  rolled_back: ["rolled back", false],
  failed: ["failed", false],
};
const NOTHING = new Set(["idle", "checking"]);

/** {text, going, bad} for a device's `update`; null where there is nothing to say. */
export function updateWords(update) {
  if (!update || NOTHING.has(update.state)) return null;
  const [words, going] = DEVICE[update.state] ?? [actionWord(update.state), ["planned", "offered", "running", "canceling"].includes(update.state)];
  const bad = ["failed", "failure", "rolled_back"].includes(update.state);
  return { text: `${update.version ? `Update to ${update.version}` : "Update"}: ${words}`, going, bad };
}

// What says nothing beyond the state that stands before it.
const PLAIN = new Set(["closed", "proceeding", "fetched"]);

/** What a device, or the hub, adds to the state of an action; "" where that is nothing. */
export const remark = (detail) => (PLAIN.has(detail) ? "" : reason(detail));

const EXECUTIONS = {
  proceeding: "at work", scheduled: "begins later", resumed: "goes on", rejected: "would not", canceled: "gave it up",
  download: "downloading", downloaded: "downloaded",
};

/** What a device told the update server once, in words. */
export function feedbackWords(said) {
  if (said.execution === "closed") return said.finished === "failure" ? "failed" : "done";
  return EXECUTIONS[said.execution] ?? said.execution;
}

export const ROLLOUT_STATES = { running: "Running", paused: "Paused", finished: "Finished", stopped: "Stopped" };

/** "Canaries", "Stage 2", …; the canaries are stage 0. */
export const stageName = (stage) => (stage === 0 ? "Canaries" : `Stage ${stage + 1}`);

/** Counts by state in words: "3 updated, 1 failed". */
export function counts(devices) {
  return ACTION_STATES.filter((state) => devices[state]).map((state) => `${devices[state]} ${COUNTED[state] ?? actionWord(state)}`).join(", ");
}
