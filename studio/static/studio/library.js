// Uploads: many at once, resumable, by drag and drop or by choice.
"use strict";

addEventListener("DOMContentLoaded", () => {
  const form = document.getElementById("upload"), drop = document.getElementById("drop");
  const files = document.getElementById("files"), list = document.getElementById("uploads");
  let under_way = 0, taken = 0;

  const say = (line, text, wrong) => {
    line.querySelector("span").textContent = text;
    line.classList.toggle("wrong", Boolean(wrong));
  };

  const send = async (file) => {
    const line = document.createElement("li");
    const name = document.createElement("strong");
    const bar = document.createElement("progress");
    name.textContent = file.name;
    bar.max = 100;
    bar.value = 0;
    bar.setAttribute("aria-label", `Upload of ${file.name}`);
    line.append(name, bar, document.createElement("span"));
    list.append(line);
    under_way += 1;
    const end = () => {
      under_way -= 1;
      if (under_way === 0 && taken) location.reload();
    };
    const upload = new tus.Upload(file, {
      endpoint: form.dataset.address,
      chunkSize: 16 * 1024 * 1024,
      retryDelays: [0, 1000, 3000, 5000, 10000],
      headers: { "X-CSRFToken": studio.token() },
      metadata: { filename: file.name },
      removeFingerprintOnSuccess: true,
      onShouldRetry: (error) => {
        const status = error.originalResponse ? error.originalResponse.getStatus() : 0;
        return status === 0 || status === 409 || status === 423 || status >= 500;
      },
      onProgress: (sent, total) => {
        bar.value = 100 * sent / total;
        say(line, sent === total ? "being looked at" : `${Math.floor(100 * sent / total)} %`);
      },
      onSuccess: () => { taken += 1; say(line, "is in the library"); end(); },
      onError: (error) => {
        let text = "the connection was lost; choose the file again to resume";
        try { text = JSON.parse(error.originalResponse.getBody()).error; } catch { /* no answer */ }
        say(line, text, true);
        bar.remove();
        end();
      },
    });
    const earlier = await upload.findPreviousUploads();
    if (earlier.length) upload.resumeFromPreviousUpload(earlier[0]);
    upload.start();
  };

  files.addEventListener("change", () => { [...files.files].forEach(send); files.value = ""; });
  form.addEventListener("submit", (event) => event.preventDefault());
  for (const name of ["dragenter", "dragover"]) {
    drop.addEventListener(name, (event) => { event.preventDefault(); drop.classList.add("over"); });
  }
  for (const name of ["dragleave", "drop"]) {
    drop.addEventListener(name, (event) => { event.preventDefault(); drop.classList.remove("over"); });
  }
  drop.addEventListener("drop", (event) => [...event.dataTransfer.files].forEach(send));
});
