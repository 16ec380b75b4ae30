// Numbers as people read them, in the browser's language and time zone.

const clockFormat = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const secondsFormat = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
});
const dayFormat = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long", year: "numeric" });

export const clock = (ms) => clockFormat.format(ms);
export const seconds = (ms) => secondsFormat.format(ms);
export const longDay = (ms) => dayFormat.format(ms);
export const iso = (ms) => new Date(ms).toISOString();

/** "2026-11-22" in the browser's time zone. */
export function dayOf(ms) {
  const date = new Date(ms);
  const two = (number) => String(number).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

/** The first millisecond of a day, and of the day `shift` days later. */
export function dayStart(day, shift = 0) {
  const [year, month, date] = day.split("-").map(Number);
  return new Date(year, month - 1, date + shift).getTime();
}

export const isDay = (text) => /^\d{4}-\d{2}-\d{2}$/.test(text ?? "") && !Number.isNaN(dayStart(text));

/** 75 s -> "1 min 15 s"; the two largest units. */
export function duration(totalSeconds) {
  const whole = Math.max(0, Math.round(totalSeconds));
  const units = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
  const parts = [];
  let rest = whole;
  for (const [name, size] of units) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count) parts.push(`${count} ${name}`);
  }
  return parts.slice(0, 2).join(" ") || "0 s";
}

export const kilobytes = (bytes) => `${Math.round(bytes / 1024)} kB`;

/** The size of a file: "311 bytes", "48 kB", "2.1 MB". */
export function bytes(size) {
  if (size < 10_240) return `${size} bytes`;
  return size < 1_048_576 ? kilobytes(size) : `${(size / 1_048_576).toFixed(1)} MB`;
}

/** A time as short as it can be said: the clock of today, else the day too. */
export const when = (ms) => (dayOf(ms) === dayOf(Date.now()) ? clock(ms) : `${longDay(ms)}, ${clock(ms)}`);

/** 1 -> "1 line", 2 -> "2 lines". */
export const count = (number, one, many = `${one}s`) => `${number} ${number === 1 ? one : many}`;

/** A sentence from an engine's reason: capital letter, full stop. */
export function sentence(text) {
  const trimmed = (text ?? "").trim();
  if (!trimmed) return "";
  return stopped(trimmed[0].toUpperCase() + trimmed.slice(1));
}

/** With a full stop; as it begins it stays, for what may begin with the name of a file or a host. */
export const stopped = (text) => (/[.!?…]$/.test(text) ? text : `${text}.`);
