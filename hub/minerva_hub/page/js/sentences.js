// What is loading, rough, degraded or worth knowing, each in one sentence.

import { clock, sentence } from "./format.js";

export const STAGES = { speech: "Speech detection", transcribe: "Words", diarize: "Speakers", sounds: "Sounds", tone: "Tone" };
const LOADING = {
  speech: "The speech detector is loading.",
  transcribe: "The recogniser is loading: words appear as soon as it is ready.",
  diarize: "Telling speakers apart is still loading.",
  sounds: "The sound detector is loading.",
  tone: "The emotion model is loading.",
};
const ROUGH = { // where the engine gives no reason of its own
  speech: "Speech is detected only roughly.",
  transcribe: "This recogniser is rough: expect mistakes.",
  diarize: "Speakers are told apart only roughly.",
  sounds: "Sounds are told apart only roughly.",
  tone: "Tone is told only roughly.",
};
const FAILED = {
  speech: "Speech cannot be detected, so nothing is written down.",
  transcribe: "Words cannot be written down.",
  diarize: "Speakers cannot be told apart.",
  sounds: "Sounds are not noticed.",
  tone: "The tone of lines is not told.",
};

/** [{level, text}] for the hub's health; the first matter most. */
export function notes(health) {
  if (!health) return [];
  const found = health.warnings.map((text) => ({ level: "warn", text: sentence(text) }));
  for (const engine of health.engines) {
    const why = sentence(engine.reason);
    if (engine.state === "error") found.unshift({ level: "bad", text: join(FAILED[engine.stage], why) });
    if (engine.state === "loading") found.push({ level: "info", text: LOADING[engine.stage] });
    if (engine.state === "rough") found.push({ level: "info", text: why || ROUGH[engine.stage] });
  }
  return [...found, ...voicePort(health.cf_voice)];
}

/** The port that knows no password, while it is on, and who brings sound through it. */
function voicePort(voice) {
  if (!voice) return [];
  const who = ["this machine", ...voice.allow].join(", ");
  const notes = [{
    level: "info",
    text: `The cf-voice port is on: programs of ${who} can bring sound to ${voice.address} without a password.`,
  }];
  if (voice.listening.length) {
    notes.unshift({ level: "warn", text: `Sound comes in through the cf-voice port now, from ${voice.listening.join(", ")}.` });
  }
  return notes;
}

const join = (...parts) => parts.filter(Boolean).join(" ");

/** {key, text}: what a device is doing, as one would say it. */
export function doing(device, speaking) {
  if (!device.online) {
    const since = device.last_seen_ms ? `Offline since ${clock(device.last_seen_ms)}` : "Never connected";
    return { key: "offline", text: since };
  }
  if (device.mute === "button") return { key: "muted", text: "Muted at its button" };
  if (device.mute === "hub" || device.mode === "mute") return { key: "muted", text: "Muted" };
  if (device.problem) return { key: "problem", text: sentence(device.problem) };
  if (speaking?.state === "speaking") return { key: "speaking", text: "Speaking" };
  if (speaking?.state === "transcribing") return { key: "speaking", text: "Writing it down" };
  if (device.mode === "events") return { key: "listening", text: "Noticing sounds only" };
  return { key: "listening", text: "Listening" };
}
