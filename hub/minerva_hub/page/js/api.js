// Requests to the hub, and its problems as errors whose message a person can read.

/** A refusal by the hub: `code` for programs, `message` for people. */
export class Problem extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

const LOGIN_PAGE = "/login";

/** Go and log in, unless this page is let in. */
export async function checkLogin() {
  const state = await get("/api/owner");
  if (!state.local && !state.logged_in) location.replace(LOGIN_PAGE);
}

async function ask(method, path, { query, body, signal } = {}) {
  const url = new URL(path, location.origin);
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== undefined && value !== null && value !== "") url.searchParams.set(name, value);
  }
  const init = { method, signal, headers: {} };
  if (method === "POST" || method === "PUT") {
    init.headers["Content-Type"] = "application/json";
    init.body = JSON.stringify(body ?? {});
  }
  let response;
  try {
    response = await fetch(url, init);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, "unreachable", "The hub does not answer.");
  }
  if (response.ok) return response.status === 204 ? null : response.json();
  throw refusal(response.status, await response.json().catch(() => ({})));
}

function refusal(status, problem) {
  // The login ended, or somebody ended it: nothing more is to be had here without the password.
  if (status === 401 && location.pathname !== LOGIN_PAGE) location.replace(LOGIN_PAGE);
  return new Problem(status, problem.code ?? "error", problem.message ?? `The hub answered ${status}.`);
}

/** Send files as a form; `progress(share)` tells 0 to 1 of it that left. Fetch does not tell that. */
export function upload(path, form, { progress, signal }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const fail = (code, message) => () => reject(new Problem(0, code, message));
    request.open("POST", path);
    request.responseType = "json";
    request.upload.addEventListener("progress", (event) => event.lengthComputable && progress(event.loaded / event.total));
    request.addEventListener("load", () => {
      if (request.status < 300) resolve(request.response);
      else reject(refusal(request.status, request.response ?? {}));
    });
    request.addEventListener("error", fail("unreachable", "The connection ended before the hub had answered."));
    request.addEventListener("abort", fail("aborted", "The upload was broken off."));
    signal.addEventListener("abort", () => request.abort());
    request.send(form);
  });
}

export const get = (path, query, signal) => ask("GET", path, { query, signal });
export const post = (path, body) => ask("POST", path, { body });
export const put = (path, body) => ask("PUT", path, { body });
export const remove = (path) => ask("DELETE", path);

/** The file of a session, as an address to follow. */
export const exportUrl = (session, format) => `/api/sessions/${session}/export?format=${format}`;

/** All of a paged list, newest pages first, up to `most` items; `items` are oldest first. */
export async function getAll(path, query, most, signal) {
  const items = [];
  let before;
  do {
    const page = await get(path, { ...query, limit: 500, before }, signal);
    items.unshift(...page.items);
    before = page.before;
  } while (before && items.length < most);
  return { items, complete: !before };
}
